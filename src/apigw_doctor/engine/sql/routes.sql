-- Exact percentiles (nearest rank) of the time that counts against the limit, by route, worst first.
-- Requests without a row of their own come as counts of equal times.
WITH told AS (
    SELECT api_id, stage, method, route, integration_ms, 1 AS n, failed::INT AS failed, timed_out::INT AS timed_out,
           limit_ms
    FROM requests
    UNION ALL
    SELECT api_id, stage, method, route, integration_ms, n, 0, 0, NULL FROM times
), ranked AS (
    SELECT *, sum(CASE WHEN integration_ms IS NOT NULL THEN n ELSE 0 END) OVER (
                  PARTITION BY api_id, stage, method, route ORDER BY integration_ms NULLS LAST
              ) AS rank,
              sum(CASE WHEN integration_ms IS NOT NULL THEN n ELSE 0 END) OVER (
                  PARTITION BY api_id, stage, method, route
              ) AS measured
    FROM told
)
SELECT api_id, stage, method, route,
       sum(n)::BIGINT AS n,
       sum(failed)::BIGINT AS failed,
       sum(timed_out)::BIGINT AS timed_out,
       min(CASE WHEN rank >= ceil(measured * 50 / 100) THEN integration_ms END) AS p50_ms,
       min(CASE WHEN rank >= ceil(measured * 90 / 100) THEN integration_ms END) AS p90_ms,
       min(CASE WHEN rank >= ceil(measured * 99 / 100) THEN integration_ms END) AS p99_ms,
       max(integration_ms) AS max_ms,
       min(limit_ms) AS limit_ms
FROM ranked
GROUP BY api_id, stage, method, route
ORDER BY failed DESC, p99_ms DESC NULLS LAST, n DESC, route
