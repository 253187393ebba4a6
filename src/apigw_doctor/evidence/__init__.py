"""Row types, redaction and merging: what is known, before anybody judges."""
