-- How much the alias table of an application can change within a range: whether credentials and users
-- have bindings at all, and how many begin or end inside. Old versions count too: that only makes
-- the caller more careful.
SELECT
    countIf(kind = 'credential') AS credentials,
    countIf(kind = 'user') AS users,
    countIf((valid_from > {since:Int64} AND valid_from < {until:Int64})
        OR (valid_to > {since:Int64} AND valid_to < {until:Int64})) AS edges
FROM bindings
WHERE application = {application:String}
