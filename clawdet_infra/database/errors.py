"""What can go wrong with the database, said so that a person can mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from clawdet_infra.redaction import Redactor

# SQLite's primary result codes (https://www.sqlite.org/rescode.html).
_SQLITE = {
    3: "it may not be opened. Give this user the right to read and write it and its folder",
    5: "another process holds it locked. Wait for that process, or end it; nothing was written",
    6: "another connection holds it locked. Try again; nothing was written",
    8: "it cannot be written to: the file, its folder or its disk is read-only",
    10: "the disk failed to read or write. Look at the kernel's messages (dmesg)",
    11: "the file is damaged. Put a backup in its place, or move it away to begin anew",
    13: "the disk is full. Make room; nothing of this was written",
    14: "it cannot be opened. See that its folder exists and that this user may write to it",
    26: "the file is no SQLite database. Name another one with {variable}",
}
# PostgreSQL's SQLSTATE, by the beginning of the code (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_POSTGRESQL = {
    "55P03": "another process holds it locked. Wait for that process, or end it; nothing was written",
    "57014": "an answer took too long and was given up; nothing was written",
    "53100": "the disk of the database server is full. Make room; nothing of this was written",
    "53200": "the database server is out of memory; nothing of this was written",
    "53300": "the database server has too many connections",
    "25006": "the database server takes no writes (it is a standby, or set to read-only)",
    "28": "the database server refuses this user or password",
    "3D000": "there is no database of this name. Create it",
    "42501": "this user lacks a right. It has to own {possessive} tables, or be allowed to create some",
    "57P": "the database server is starting, stopping or going away. Try again",
    "58": "the database server's disk or system failed",
}


class DatabaseError(Exception):
    """A database cannot be read or written; the text says which, why, and what to do, and has no password in it."""


class LeaseLostError(DatabaseError):
    """The lease is another process's by now."""


@dataclass(frozen=True, kw_only=True)
class DatabaseRole:
    """What a database is for, which decides how it is spoken of.

    `name` is what people call it, such as `the history`; `variable` is the environment variable that names another
    one; `file` is an example of SQLite's file; `error` is what is raised.  `lock` is the number of PostgreSQL's
    advisory lock that its writers take: any will do that nothing else in the database takes.
    """

    name: str
    variable: str
    file: str
    error: type[DatabaseError]
    lock: int

    @property
    def title(self) -> str:
        """The name at the beginning of a sentence."""
        return self.name[0].upper() + self.name[1:]


def shown(url: URL) -> str:
    """Return a database's address without the password and without options, which may hold one as well."""
    return url.set(query={}).render_as_string(hide_password=True)


@contextmanager
def explained(purpose: DatabaseRole, url: URL) -> Iterator[None]:
    """Turn errors of the database into the purpose's own."""
    where = f"{purpose.name} at {shown(url)}"
    try:
        yield
    except DBAPIError as error:
        # Not the error's own text: it quotes the statement with its values.
        raise purpose.error(f"{where} cannot be used: {_reason(error, purpose, url)}") from None
    except SQLAlchemyError as error:
        raise purpose.error(f"{where} cannot be used: {type(error).__name__}") from None


def _reason(error: DBAPIError, purpose: DatabaseRole, url: URL) -> str:
    original = error.orig
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _SQLITE:
        return _SQLITE[code & 0xFF].format(variable=purpose.variable)
    state = getattr(original, "sqlstate", None) or ""
    for length in (5, 3, 2):
        if state[:length] in _POSTGRESQL and len(state) >= length:
            return _POSTGRESQL[state[:length]].format(possessive=f"{purpose.name}'s")
    redact = Redactor(filter(None, (url.password, *_texts(url))), shortest=1)
    said = redact(" ".join(str(original).split()))
    what = ""
    if url.get_backend_name() == "postgresql" and not state:
        # What the server says while a connection is made comes without its code.
        what = "the database server refuses" if "FATAL:" in said else "the database server cannot be reached"
    return ": ".join(filter(None, (what, said[:300])))


def _texts(url: URL) -> Iterator[str]:
    """Yield the options of an address that are secret."""
    for name, value in url.query.items():
        if "password" in name.lower():
            yield from (value,) if isinstance(value, str) else value
