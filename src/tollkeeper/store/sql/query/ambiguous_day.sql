-- Buckets of usage_day in a range in which some caller's usage may belong to two owners: a binding of
-- its credential or user begins or ends between the first and the last call that a row sums up.
WITH
    changes AS
    (
        SELECT DISTINCT kind, key, arrayJoin([valid_from, valid_to]) AS edge
        FROM bindings
        WHERE application = {application:String} AND edge > {since:Int64} AND edge < {until:Int64}
    ),
    credential_changes AS
    (
        SELECT key, edge FROM changes WHERE kind = 'credential'
        UNION ALL
        SELECT held.key AS key, changes.edge AS edge
        FROM bindings AS held
        INNER JOIN changes ON held.user = changes.key
        WHERE held.application = {application:String} AND held.kind = 'credential' AND changes.kind = 'user'
    ),
    user_changes AS (SELECT key, edge FROM changes WHERE kind = 'user')
SELECT DISTINCT toUnixTimestamp(bucket) AS bucket
FROM
(
    SELECT bucket, credential AS key, min(first_time) AS first, max(last_time) AS last
    FROM usage_day
    WHERE application = {application:String}
        AND bucket >= fromUnixTimestamp64Micro({since:Int64}) AND bucket < fromUnixTimestamp64Micro({until:Int64})
        AND credential IN (SELECT key FROM credential_changes)
    GROUP BY bucket, credential
) AS usage
INNER JOIN credential_changes AS change ON usage.key = change.key
WHERE toUnixTimestamp64Micro(usage.first) < change.edge AND change.edge <= toUnixTimestamp64Micro(usage.last)
UNION DISTINCT
SELECT DISTINCT toUnixTimestamp(bucket) AS bucket
FROM
(
    SELECT bucket, captured_user AS key, min(first_time) AS first, max(last_time) AS last
    FROM usage_day
    WHERE application = {application:String}
        AND bucket >= fromUnixTimestamp64Micro({since:Int64}) AND bucket < fromUnixTimestamp64Micro({until:Int64})
        AND captured_user IN (SELECT key FROM user_changes)
    GROUP BY bucket, captured_user
) AS usage
INNER JOIN user_changes AS change ON usage.key = change.key
WHERE toUnixTimestamp64Micro(usage.first) < change.edge AND change.edge <= toUnixTimestamp64Micro(usage.last)
