-- Keys stored from a journal position on: what the dedupe filter has to be told again.
SELECT key FROM event_keys WHERE position > {position:UInt64}
