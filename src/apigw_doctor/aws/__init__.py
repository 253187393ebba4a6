"""Thin typed clients: the only package that imports boto3."""
