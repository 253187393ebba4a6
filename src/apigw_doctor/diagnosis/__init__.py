"""Rules: from the timeline of one request to its cause."""
