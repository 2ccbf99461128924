-- Deletes an application's raw events before an instant; rollups and keys stay.
ALTER TABLE events
DELETE WHERE application = {application:String} AND time < fromUnixTimestamp64Micro({before:Int64})
SETTINGS mutations_sync = 1
