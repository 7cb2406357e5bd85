"""Heartbeat: tells another service after each check cycle that the daemon works, so that its silence is noticed."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import aiohttp
from pydantic import SecretStr


class Heartbeat:
    """A URL in the style of healthchecks.io, which is fetched after each round.

    For a round that failed, `/fail` is put at the end of its path.  The service behind it alerts by itself when nothing
    came for a while.
    """

    def __init__(self, url: SecretStr, *, seconds: float = 10) -> None:
        self._url = url
        self._seconds = seconds

    async def ping(self, *, failed: bool = False) -> str | None:
        """Fetch the URL, and return in a sentence what went wrong, None if nothing did."""
        url = self._url.get_secret_value()
        host = urlsplit(url).hostname
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._seconds), trust_env=True) as session,
                session.get(_failing(url) if failed else url) as response,
            ):
                if response.ok:
                    return None
                return f"the heartbeat service {host} answered HTTP {response.status}"
        except TimeoutError:
            return f"the heartbeat service {host} did not answer within {self._seconds:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The words of the error may hold the URL, whose path is the credential.
            return f"the heartbeat service {host} cannot be reached ({type(error).__name__})"


def _failing(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
