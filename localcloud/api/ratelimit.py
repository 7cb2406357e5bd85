"""Hetzner's rate limit: so many requests an hour, growing back evenly."""

from __future__ import annotations

from datetime import datetime

from localcloud.api.errors import ApiError


class RateLimit:
    """A bucket of `limit` requests that fills up within an hour."""

    def __init__(self, limit: int, now: datetime) -> None:
        self._limit = limit
        self._left = float(limit)
        self._seen = now

    def take(self, now: datetime) -> None:
        """Use one request.  Raises rate_limit_exceeded where there is none."""
        elapsed = (now - self._seen).total_seconds()
        self._left = min(float(self._limit), self._left + elapsed * self._limit / 3600)
        self._seen = now
        if self._left < 1:
            raise ApiError("rate_limit_exceeded", f"limit of {self._limit} requests per hour reached")
        self._left -= 1

    def headers(self) -> dict[str, str]:
        """Where the bucket stands, and when it will be full again (UNIX time)."""
        missing = (self._limit - self._left) * 3600 / self._limit
        return {
            "RateLimit-Limit": str(self._limit),
            "RateLimit-Remaining": str(int(self._left)),
            "RateLimit-Reset": str(int(self._seen.timestamp() + missing + 1)),
        }
