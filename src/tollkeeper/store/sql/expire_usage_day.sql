-- Deletes an application's rows of the day rollup before an instant.
ALTER TABLE usage_day
DELETE WHERE application = {application:String} AND bucket < toDateTime(intDiv({before:Int64}, 1000000))
SETTINGS mutations_sync = 1
