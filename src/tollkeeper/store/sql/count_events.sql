-- Calls and events per application and UTC day, counted from raw events.
SELECT application, toUInt32(toDate(time)) AS day, toUInt64(sum(weight)), count()
FROM events
GROUP BY application, day
