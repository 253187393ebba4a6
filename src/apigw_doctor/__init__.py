"""Whose clock ran out, who spent the time, and what would have saved the request.

A deterministic diagnosis of failed requests behind Amazon API Gateway.
"""

__version__ = "0.1.0"
