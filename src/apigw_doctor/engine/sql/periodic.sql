-- One client that fails at a fixed period which is not the limit: a poller, a warmer, a forgotten tab.
WITH failures AS (
    SELECT client_ip, method, coalesce(path, route) AS target, key, arrived_at, limit_ms,
           arrived_at - lag(arrived_at) OVER (PARTITION BY client_ip, method, coalesce(path, route) ORDER BY arrived_at) AS gap
    FROM requests
    WHERE failed AND client_ip IS NOT NULL AND arrived_at IS NOT NULL
)
SELECT client_ip, method, target, count(*) AS n, median(gap) AS period_ms,
       max(gap) - min(gap) AS spread_ms, min(limit_ms) AS limit_ms, list(key ORDER BY arrived_at) AS keys
FROM failures
GROUP BY client_ip, method, target
HAVING count(gap) >= $least AND max(gap) - min(gap) <= $share * median(gap) AND median(gap) >= 2000
   AND abs(median(gap) - min(limit_ms)) > $about
ORDER BY n DESC, target
