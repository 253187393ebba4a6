"""The Python API and the composition root: evidence in, diagnosis out."""
