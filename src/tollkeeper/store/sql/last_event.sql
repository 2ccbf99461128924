-- When the newest stored event happened, in microseconds; no row when there is none.
SELECT toUnixTimestamp64Micro(max(time)) FROM events HAVING count() > 0
