"""Code of the scenarios' functions; runs in the function's process, imports nothing of ours."""
