-- Failures that arrive in the same few seconds, where the hours around are quiet.
WITH failures AS (
    SELECT key, arrived_at, floor(arrived_at / $window) AS slot FROM requests WHERE failed AND arrived_at IS NOT NULL
), slots AS (
    SELECT slot, count(*) AS n, min(arrived_at) AS first_at, max(arrived_at) AS last_at,
           list(key ORDER BY arrived_at) AS keys
    FROM failures GROUP BY slot
), joined AS (
    -- a burst may lie across the edge of two slots
    SELECT a.n + coalesce(b.n, 0) AS n, a.first_at, coalesce(b.last_at, a.last_at) AS last_at,
           list_concat(a.keys, coalesce(b.keys, [])) AS keys
    FROM slots a LEFT JOIN slots b ON b.slot = a.slot + 1
)
SELECT n, first_at, last_at, keys, (SELECT count(*) FROM failures) AS failures,
       (SELECT greatest(max(arrived_at), (SELECT max(last_at) FROM times))
               - least(min(arrived_at), (SELECT min(first_at) FROM times)) FROM requests) AS window_ms
FROM joined
WHERE n >= $least AND last_at - first_at <= $window
ORDER BY n DESC, first_at
