"""Words, ids, times and errors that every package shares."""
