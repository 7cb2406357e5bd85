"""Keeps the addresses of channels out of logs: they hold credentials, and the libraries below log them in places."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from urllib.parse import unquote

from clawdet_infra.redaction import Redactor

_LOGGERS = ("apprise", "urllib3", "requests", "smtplib", "paho", "slixmpp")


def pieces(url: str) -> Iterable[str]:
    """Return the URL and all parts of it that could be a credential.

    Each comes as it is written, without its URL encoding, and in lower case, as apprise writes schemes and host names.
    """
    rest = url.partition("://")[2]
    for written in (url, rest, unquote(rest)):
        for text in (written, written.lower()):
            yield text
            yield from re.split(r"[/?&=@#,;\s]+", text)
            yield from re.split(r"[/?&=@#:,;\s]+", text)


class _Hiding(logging.Filter):
    """Takes what channels hold out of what apprise logs, for whatever handler somebody may have given it."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: set[str] = set()
        self._redact = Redactor([])

    def learn(self, url: str) -> None:
        self._pieces.update(pieces(url))
        self._redact = Redactor(self._pieces)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redact(record.getMessage()), None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


_HIDING = _Hiding()


def hide(url: str) -> None:
    """Hide a URL and its parts in whatever apprise logs from now on."""
    _HIDING.learn(url)


def silence() -> None:
    """Keep the libraries' logs, which hold URLs, from everybody: only apprise's warnings are read, by `_attempt`."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.WARNING if name == "apprise" else logging.CRITICAL)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    # Adding it again changes nothing.
    logging.getLogger("apprise").addFilter(_HIDING)
