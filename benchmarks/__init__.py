"""Speed and scale: reference sets with a known truth, our own run and its peers side by side."""
