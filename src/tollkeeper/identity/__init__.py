"""Who is behind a call: credential → user → customer, each binding valid from and to an instant.

Owns the digest of credentials (the secret itself is never kept), the alias table, what SDKs say
of users, customers and subscriptions, what events teach, and the copy of all that beside the
events, where queries resolve a caller.

Invariants: the bindings of one key never overlap; what an administrator stated always wins over
what was learned; two users seen with one credential mean that it belongs to neither (nobody
guesses); everything may be applied again with the same outcome.

Boundaries: it does not resolve events. An event keeps its credential's digest, and the owner is
found when somebody asks, so that an alias that comes late moves past usage by itself.
"""
