-- The ids of raw events at places in the journal, as far as retention has left them.
SELECT position, item, id
FROM events
WHERE position IN {positions:Array(UInt64)} AND (position, item) IN {places:Array(Tuple(UInt64, UInt32))}
