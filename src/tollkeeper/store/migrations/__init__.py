"""How the records database came to be, step by step; run by ``store.records.migrate``.

Each step lies in ``versions`` and goes forward only: what a step removes cannot be made again by
going back, so the way back is a backup. A test holds all steps together equal to ``tables``.
"""
