"""One adapter per kind of evidence: lines and documents in, rows and gaps out."""
