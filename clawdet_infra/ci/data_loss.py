"""Losses that commits name: `Allow-loss: ID` in the message, in a paragraph that git takes for trailers.

Git itself reads trailers in a message's last paragraph alone.  A forge that squashes a branch joins the messages of its
commits, so that the trailers of all but the last end up further above; so each paragraph is read like a last one.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from clawdet_infra.ci.errors import GitError
from clawdet_infra.config.names import CustomerId

TRAILER = "Allow-loss"

_PARAGRAPHS = re.compile(r"\n(?:[ \t]*\n)+")

_ID: TypeAdapter[str] = TypeAdapter(CustomerId)


@dataclass(frozen=True, kw_only=True)
class NamedLosses:
    """The ids of customers and hosts that commits allow to lose something, in the order of the commits.

    `refused_in` has the commits with a trailer whose value is no such id.
    """

    ids: tuple[str, ...] = ()
    refused_in: tuple[str, ...] = ()

    def __or__(self, other: NamedLosses) -> NamedLosses:
        return NamedLosses(
            ids=tuple(dict.fromkeys(self.ids + other.ids)),
            refused_in=tuple(dict.fromkeys(self.refused_in + other.refused_in)),
        )


def named_losses(checkout: Path, *, since: Iterable[str], until: str) -> NamedLosses:
    """Return what the commits name that `until` has and none of `since` has.

    Raises GitError where the clone does not have these commits.
    """
    excluded = [f"^{commit}" for commit in since]
    log = _git(checkout, "log", "--reverse", "-z", "--format=%H%n%B", until, *excluded, "--")
    ids: dict[str, None] = {}
    refused: dict[str, None] = {}
    for entry in log.split("\0"):
        commit, _, message = entry.strip("\n").partition("\n")
        for value in _values(checkout, message):
            try:
                ids[_ID.validate_python(value)] = None
            except ValidationError:
                refused[commit] = None
    return NamedLosses(ids=tuple(ids), refused_in=tuple(refused))


def has_commit(checkout: Path, commit: str) -> bool:
    """Whether the clone has a commit."""
    return _call(checkout, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0


def _values(checkout: Path, message: str) -> list[str]:
    """Return the values of the trailers of a message."""
    values = []
    # Git finds no trailer in the first paragraph, the subject; so each of the others is read below one.
    for paragraph in _PARAGRAPHS.split(message.replace("\r\n", "\n"))[1:]:
        if TRAILER.lower() not in paragraph.lower():
            continue
        read = _git(checkout, "interpret-trailers", "--parse", "--no-divider", text=f"Subject\n\n{paragraph}\n")
        for line in read.splitlines():
            key, _, value = line.partition(":")
            if key.strip().lower() == TRAILER.lower():
                values.append(value.strip())
    return values


def _git(checkout: Path, *arguments: str, text: str = "") -> str:
    done = _call(checkout, *arguments, text=text)
    if done.returncode != 0:
        raise GitError(
            f"git {arguments[0]} ended with {done.returncode}: {done.stderr.strip()} "
            "A clone with the whole history is needed (`fetch-depth: 0` on GitHub, `GIT_DEPTH: 0` on GitLab)."
        )
    return done.stdout


def _call(checkout: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    argv: Sequence[str] = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(argv, input=text, capture_output=True, encoding="utf-8", errors="replace", check=False)
