"""Set work over all requests, as SQL on DuckDB behind one small interface."""
