"""Joins the rows of one request into a timeline and splits its milliseconds over layers."""
