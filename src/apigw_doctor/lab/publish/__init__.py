"""Pushes a lab's evidence to an AWS endpoint, with the API that it is evidence of; `publishing.py` is the way in."""
