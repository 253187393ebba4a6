"""Other tools doing our job, or a part of it."""
