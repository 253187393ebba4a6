-- Exact percentiles (nearest rank) of the time that counts against the limit, by route, worst first.
SELECT api_id, stage, method, route,
       count(*) AS n,
       count(*) FILTER (WHERE failed) AS failed,
       count(*) FILTER (WHERE timed_out) AS timed_out,
       quantile_disc(integration_ms, 0.50) AS p50_ms,
       quantile_disc(integration_ms, 0.90) AS p90_ms,
       quantile_disc(integration_ms, 0.99) AS p99_ms,
       max(integration_ms) AS max_ms,
       min(limit_ms) AS limit_ms
FROM requests
GROUP BY api_id, stage, method, route
ORDER BY failed DESC, p99_ms DESC NULLS LAST, n DESC, route
