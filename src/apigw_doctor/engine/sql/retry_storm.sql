-- Failed requests of one client to one route that come again about every limit: one root cause, n victims.
WITH failures AS (
    SELECT client_ip, method, coalesce(path, route) AS target, key, arrived_at, limit_ms,
           lag(arrived_at) OVER (PARTITION BY client_ip, method, coalesce(path, route) ORDER BY arrived_at) AS before
    FROM requests
    WHERE failed AND timed_out AND client_ip IS NOT NULL AND arrived_at IS NOT NULL
), spaced AS (
    SELECT *, arrived_at - before BETWEEN limit_ms - $about AND limit_ms + $slack AS follows
    FROM failures
)
SELECT client_ip, method, target, count(*) FILTER (WHERE follows) + 1 AS n,
       median(arrived_at - before) FILTER (WHERE follows) AS spacing_ms,
       list(key ORDER BY arrived_at) AS keys
FROM spaced
GROUP BY client_ip, method, target
HAVING count(*) FILTER (WHERE follows) >= 2
ORDER BY n DESC, target
