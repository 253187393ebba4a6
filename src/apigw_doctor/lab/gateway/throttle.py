"""Token buckets: how many requests a second a route admits, and how many at once.

>>> bucket = Bucket(rate=2.0, burst=1, now_ms=0.0)
>>> bucket.admits(0.0), bucket.admits(499.0), bucket.admits(501.0)
(True, False, True)
"""


class Bucket:
    """Fills with `rate` tokens a second, holds `burst` of them at most, and at least one."""

    def __init__(self, rate: float, burst: int, now_ms: float) -> None:
        self.rate, self.burst = rate, max(burst, 1)
        self._tokens, self._filled_at = float(self.burst), now_ms

    def admits(self, now_ms: float) -> bool:
        """Whether a request may pass now; it takes its token."""
        self._tokens = min(self._tokens + max(now_ms - self._filled_at, 0.0) * self.rate / 1000.0, float(self.burst))
        self._filled_at = now_ms
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
