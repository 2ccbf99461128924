-- Usage per hour (UTC) and caller. The credential is part of the key only where the capture did not
-- name both user and customer, so that a later alias can still move the usage to its owner;
-- first_time and last_time tell whether one alias covers the whole row.
CREATE TABLE IF NOT EXISTS usage_hour
(
    application       LowCardinality(String),
    bucket            DateTime('UTC'),
    kind              LowCardinality(String),
    source            LowCardinality(String),
    direction         LowCardinality(String),
    captured_customer String,
    captured_user     String,
    credential        String,
    route             LowCardinality(String),
    method            LowCardinality(String),
    status            UInt16,
    calls             SimpleAggregateFunction(sum, UInt64),
    events            SimpleAggregateFunction(sum, UInt64),
    duration_us       SimpleAggregateFunction(sum, UInt64),
    duration_us_min   SimpleAggregateFunction(min, UInt64),
    duration_us_max   SimpleAggregateFunction(max, UInt64),
    request_bytes     SimpleAggregateFunction(sum, UInt64),
    response_bytes    SimpleAggregateFunction(sum, UInt64),
    first_time        SimpleAggregateFunction(min, DateTime64(6, 'UTC')),
    last_time         SimpleAggregateFunction(max, DateTime64(6, 'UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(bucket)
ORDER BY (application, bucket, kind, source, direction, captured_customer, captured_user, credential, route, method, status)
SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1
