-- The query side's copy of the alias table: who owns the usage of a credential or a user, and when.
-- kind is 'credential' (key = keyed digest) or 'user' (key = user id; user is then empty).
-- The newest version of (application, kind, key, valid_from) counts; times are microseconds since 1970.
CREATE TABLE IF NOT EXISTS bindings
(
    application LowCardinality(String),
    kind        LowCardinality(String),
    key         String,
    valid_from  Int64,
    valid_to    Int64,
    user        String,
    customer    String,
    deleted     UInt8,
    version     UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (application, kind, key, valid_from)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
