-- The greatest journal position that the store has events of; 0 when it is empty.
SELECT max(position) FROM event_keys
