"""The checker's log: a line each, without secrets, for people or as JSON."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from clawdet_infra.formatting.json_format import dumps
from clawdet_infra.redaction import Redactor

_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


class Journal(logging.Handler):
    """Writes lines to stderr, or with `as_json` objects to stdout.

    `in_systemd` puts the priority in front of each line, and leaves the time to systemd.  `redact` takes secrets out,
    whoever wrote them.
    """

    def __init__(
        self,
        redact: Redactor,
        *,
        as_json: bool = False,
        in_systemd: bool = False,
        write: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(logging.INFO)
        self._as_json = as_json
        self._in_systemd = in_systemd
        self._write = write or _writer(as_json)
        self._redact = redact

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            self._write(self._line(record))
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> str:
        message = self._redact.line(record.getMessage(), 2000)
        at = datetime.fromtimestamp(record.created, UTC)
        level = record.levelname.lower()
        if self._as_json:
            facts: dict[str, Any] = getattr(record, "facts", {})
            return self._redact(dumps({"at": at, "level": level, "message": message, **facts}))
        if self._in_systemd:
            priority = next((number for least, number in _PRIORITIES if record.levelno >= least), 7)
            return f"<{priority}>{message}"
        mark = "" if record.levelno <= logging.INFO else f"{level}: "
        return f"{at:%F %T} {mark}{message}"


def install(journal: Journal) -> None:
    """Make this package's log go to the journal, and warnings of all others too."""
    root = logging.getLogger()
    root.handlers = [journal]
    root.setLevel(logging.WARNING)
    logging.getLogger("clawdet_infra").setLevel(logging.INFO)


def _writer(as_json: bool) -> Callable[[str], None]:
    stream = sys.stdout if as_json else sys.stderr

    def write(line: str) -> None:
        stream.write(f"{line}\n")
        stream.flush()

    return write
