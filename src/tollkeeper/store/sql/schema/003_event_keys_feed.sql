-- Fills event_keys from each stored block.
CREATE MATERIALIZED VIEW IF NOT EXISTS event_keys_feed TO event_keys AS
SELECT key, content, position, item, application, time
FROM events
