-- Which events were ever taken, for ever: the exact answer behind the filter of the dedupe step.
CREATE TABLE IF NOT EXISTS event_keys
(
    key         UInt64 CODEC(NONE),
    content     UInt64 CODEC(NONE),
    position    UInt64 CODEC(Delta, ZSTD(1)),
    item        UInt32 CODEC(T64, ZSTD(1)),
    application LowCardinality(String),
    time        DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    INDEX position_range position TYPE minmax GRANULARITY 64
)
ENGINE = MergeTree
ORDER BY key
SETTINGS index_granularity = 512, non_replicated_deduplication_window = 1000,
         fsync_after_insert = 1, fsync_part_directory = 1
