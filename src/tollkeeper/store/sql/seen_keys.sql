-- What is known of these keys, without what the block that is being stored may have left behind.
SELECT key, content, position, item
FROM event_keys
WHERE key IN {keys:Array(UInt64)} AND position < {before:UInt64}
