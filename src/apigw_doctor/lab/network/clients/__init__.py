"""Clients that a function's code uses: plain files of the standard library, put on the function's own path."""
