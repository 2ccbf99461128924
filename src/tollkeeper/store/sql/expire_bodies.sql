-- Empties the bodies of an application's events before an instant; everything else of them stays.
ALTER TABLE events
UPDATE request_body = '', request_encoding = '', response_body = '', response_encoding = ''
WHERE application = {application:String} AND time < fromUnixTimestamp64Micro({before:Int64})
      AND (request_body != '' OR response_body != '')
SETTINGS mutations_sync = 1
