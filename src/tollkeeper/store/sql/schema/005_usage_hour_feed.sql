-- Adds each stored block to usage_hour; sums are restored by weight, extremes are not.
CREATE MATERIALIZED VIEW IF NOT EXISTS usage_hour_feed TO usage_hour AS
SELECT
    application,
    toStartOfHour(time) AS bucket,
    kind,
    source,
    direction,
    captured_customer,
    captured_user,
    if(captured_user != '' AND captured_customer != '', '', credential) AS credential,
    route,
    method,
    status,
    sum(weight) AS calls,
    count() AS events,
    sum(events.duration_us * weight) AS duration_us,
    min(events.duration_us) AS duration_us_min,
    max(events.duration_us) AS duration_us_max,
    sum(events.request_bytes * weight) AS request_bytes,
    sum(events.response_bytes * weight) AS response_bytes,
    min(time) AS first_time,
    max(time) AS last_time
FROM events
GROUP BY application, bucket, kind, source, direction, captured_customer, captured_user, credential, route, method, status
