-- Every accepted event, once, never changed. Insert blocks are deduplicated by their journal range.
CREATE TABLE IF NOT EXISTS events
(
    application       LowCardinality(String),
    time              DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    id                String CODEC(ZSTD(1)),
    key               UInt64 CODEC(NONE),
    content           UInt64 CODEC(NONE),
    position          UInt64 CODEC(Delta, ZSTD(1)),
    item              UInt32 CODEC(Delta, ZSTD(1)),
    received_at       DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    kind              LowCardinality(String),
    source            LowCardinality(String),
    direction         LowCardinality(String),
    action            LowCardinality(String),
    method            LowCardinality(String),
    uri               String CODEC(ZSTD(1)),
    route             LowCardinality(String),
    status            UInt16 CODEC(ZSTD(1)),
    duration_us       UInt64 CODEC(T64, ZSTD(1)),
    request_bytes     UInt64 CODEC(T64, ZSTD(1)),
    response_bytes    UInt64 CODEC(T64, ZSTD(1)),
    request_headers   String CODEC(ZSTD(1)),
    response_headers  String CODEC(ZSTD(1)),
    request_body      String CODEC(ZSTD(1)),
    request_encoding  LowCardinality(String),
    response_body     String CODEC(ZSTD(1)),
    response_encoding LowCardinality(String),
    ip                String CODEC(ZSTD(1)),
    captured_user     String CODEC(ZSTD(1)),
    captured_customer String CODEC(ZSTD(1)),
    credential        String CODEC(ZSTD(1)),
    metadata          String CODEC(ZSTD(1)),
    api_version       LowCardinality(String),
    weight            UInt64 CODEC(T64, ZSTD(1)),
    trace_id          String CODEC(ZSTD(1)),
    blocked_by        LowCardinality(String),
    tags              LowCardinality(String),
    outcome           LowCardinality(String),
    subscription      LowCardinality(String),
    host              LowCardinality(String) MATERIALIZED lower(extract(uri, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#]*)')),
    path              String ALIAS path(uri),
    INDEX position_range position TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (application, time, key)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1
