-- Calls and events per application and UTC day, as the rollup of the day says.
SELECT application, toUInt32(toDate(bucket)) AS day, toUInt64(sum(calls)), toUInt64(sum(events))
FROM usage_day
GROUP BY application, day
