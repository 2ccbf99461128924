-- The query side's copy of what is known of users and customers; attributes is JSON text.
CREATE TABLE IF NOT EXISTS attributes
(
    application LowCardinality(String),
    kind        LowCardinality(String),
    id          String,
    attributes  String CODEC(ZSTD(1)),
    version     UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (application, kind, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
