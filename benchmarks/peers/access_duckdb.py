"""Access logs alone, by hand: DuckDB's `read_json` with declared columns; a row that is no JSON comes to nothing."""

import json
import sys

import duckdb

QUERY = """
WITH rows AS (
    SELECT status::INT AS status, resourcePath AS path, httpMethod AS method, requestTimeEpoch::BIGINT AS epoch,
           requestId AS id, try_cast(integrationLatency AS INT) AS latency
    FROM read_json($files, format = 'newline_delimited', ignore_errors = true, columns = {
        'requestId': 'VARCHAR', 'requestTimeEpoch': 'VARCHAR', 'httpMethod': 'VARCHAR', 'resourcePath': 'VARCHAR',
        'status': 'VARCHAR', 'integrationLatency': 'VARCHAR', 'error.responseType': 'VARCHAR'})
),
routes AS (
    SELECT method, path, epoch // 300000 AS bin, count(*) AS n, quantile_disc(latency, 0.99) AS p99
    FROM rows GROUP BY ALL
)
SELECT (SELECT count(id) FROM rows), (SELECT count(*) FROM rows WHERE status >= 500),
       (SELECT len(list(id)) FROM rows WHERE status >= 500), (SELECT count(*) FROM routes),
       (SELECT sum(p99) FROM routes)
"""


def main() -> None:
    """Run the query and print its counts."""
    found = duckdb.execute(QUERY, {"files": f"{sys.argv[1]}/*.jsonl"}).fetchone()
    if found is None:
        raise SystemExit("no answer")
    names = ("requests", "failed", "ids", "bins", "p99_sum")
    sys.stdout.write(json.dumps(dict(zip(names, map(int, found), strict=True))) + "\n")


if __name__ == "__main__":
    main()
