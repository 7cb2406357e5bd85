"""What the engine prints and reports: the one place that reads its own texts.

The texts are those of Pulumi, of its plugins and of the libraries under them, and may change with each release.
`tests/contract/engine` has real ones, and a script that records them again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from clawdet_infra.error_line import FailureCode, read

LONGEST = 500


class Cause(StrEnum):
    """What went wrong."""

    WRONG_PASSPHRASE = "wrong-passphrase"  # noqa: S105 -- not a passphrase
    NO_PASSPHRASE = "no-passphrase"  # noqa: S105 -- not a passphrase
    NO_STACK = "no-stack"
    NO_PROJECT = "no-project"
    NO_BACKEND = "no-backend"
    NO_LOGIN = "no-login"
    LOCKED = "locked"
    PROTECTED = "protected"
    NO_CAPACITY = "no-capacity"
    """The provider has no room, or allows no more."""
    NO_ACCESS = "no-access"
    """The provider does not accept the token."""
    COMMAND = "command"
    """A command failed that a resource runs on a server or here."""
    OTHER = "other"
    CONSEQUENCE = "consequence"
    """Something else failed."""


@dataclass(frozen=True)
class Failure:
    """Why something failed: a sentence without the words that the engine puts around it, "" where it gives no reason.

    `code` is that of a program of this project, where one has failed.  Otherwise `cause` is what the engine or the
    provider says.  `resources` has the URNs of what is protected.
    """

    sentence: str
    code: FailureCode | None = None
    cause: Cause = Cause.OTHER
    resources: tuple[str, ...] = ()


_TEXTS: Sequence[tuple[Cause, re.Pattern[str]]] = (
    (Cause.WRONG_PASSPHRASE, re.compile(r"incorrect passphrase|cipher: message authentication failed")),
    (Cause.NO_PASSPHRASE, re.compile(r"passphrase must be set")),
    (Cause.NO_STACK, re.compile(r"no stack named .* found|unknown stack \"")),
    (Cause.NO_LOGIN, re.compile(r"PULUMI_ACCESS_TOKEN must be set")),
    (Cause.NO_BACKEND, re.compile(r"unable to (?:open|create) (?:state directory|bucket)|unable to check if bucket")),
    (Cause.LOCKED, re.compile(r"currently locked by|Another update is currently in progress")),
    (
        Cause.NO_PROJECT,
        # The last is what commands say that read a stack alone.
        re.compile(r"failed to load project|no Pulumi\.yaml project file|pass the fully qualified name"),
    ),
)
# Hetzner's error codes, as the provider quotes them: `MESSAGE (CODE, ID OF THE REQUEST)`
# (https://docs.hetzner.cloud/reference/cloud#errors).
_PROVIDER_CODE = re.compile(r"\((?P<code>[a-z_]+)(?:, [0-9a-f-]+)?\)")
_PROVIDER_CODES: Mapping[str, Cause] = {
    "resource_unavailable": Cause.NO_CAPACITY,
    "resource_limit_exceeded": Cause.NO_CAPACITY,
    "placement_error": Cause.NO_CAPACITY,
    "no_subnet_available": Cause.NO_CAPACITY,
    "rate_limit_exceeded": Cause.NO_CAPACITY,
    "unauthorized": Cause.NO_ACCESS,
    "forbidden": Cause.NO_ACCESS,
    "token_readonly": Cause.NO_ACCESS,
}
# What the engine says besides, when something else has failed.
_CONSEQUENCES = (
    "update failed",
    "resource registration failed",
    "preview failed",
    "an unhandled error occurred: program exited with non-zero exit code: 1",
)
# How Python shows an exception of the program; its last line says what it is.
_TRACEBACK = "Traceback (most recent call last):"
# What the program is told where a resource has failed that others need, and the engine goes on with those that do not.
_UNREGISTERED = "ResourceRegistrationFailed:"
# What was cut off because something else has failed, as Go words it.
_CUT_OFF = "context canceled"
# A failed command is quoted whole before what it printed.
_STATUS = re.compile(r"Process exited with status|exit status")
_PROTECTED = re.compile(r'resource "?(urn:[^"]+?)"? (?:cannot be deleted|as it is currently marked for protection)')
# What the engine, its plugins and the libraries of those put around a provider's own message.
_AROUND = re.compile(
    r"\S+\.go:\d+: sdk\.helper_schema: "
    r"|: provider=\S+@\S+"
    r"|\d+ errors? occurred:\s*\*\s*"
    r"|(?:creating|updating|deleting|reading|refreshing) urn:pulumi:\S+: "
)
_ERROR = "error:"
# The text of an error of the Automation API.
_RESULT = re.compile(r"\s*code: -?\d+\n stdout: .*?\n stderr: (?P<stderr>.*)", re.DOTALL)


def failure(message: str) -> Failure:
    """Return what one error says: the message of a diagnostic event, or an error that was printed.

    Of a command that failed, the sentence is the last line that the command printed; of an exception of the program it
    has none of the places in the program.
    """
    code, text = read(message)
    lines = (line.strip().removeprefix(_ERROR).strip() for line in text.splitlines())
    told = [line for line in lines if line and not line.startswith(_CONSEQUENCES) and not line.endswith(_CUT_OFF)]
    if code is not None:
        return Failure(" ".join(told), code)
    if not told:
        return Failure("", cause=Cause.CONSEQUENCE)
    if any(_STATUS.search(line) for line in told):
        return Failure(told[-1], cause=Cause.COMMAND)
    if _TRACEBACK in told:
        told = [*told[: told.index(_TRACEBACK)], told[-1]]
        if _UNREGISTERED in told[-1]:
            return Failure("", cause=Cause.CONSEQUENCE)
    whole = " ".join(told)
    sentence = _AROUND.sub("", whole)[:LONGEST].strip()
    if protected := _PROTECTED.findall(whole):
        return Failure(sentence, cause=Cause.PROTECTED, resources=tuple(dict.fromkeys(protected)))
    return Failure(sentence, cause=_cause(whole))


def reason(message: str) -> str:
    """Return the sentence of `failure`: why something failed; "" where it only says that something else did."""
    return failure(message).sentence


def printed_failure(printed: str) -> Failure:
    """Return why a command of the engine failed, from all that it printed or the text of the Automation API's error.

    This is for what fails before there are events: a lock, a passphrase, an option.
    """
    lines = [line.strip().removeprefix("stderr:").strip() for line in _stderr(printed).splitlines() if line.strip()]
    found = [failure(line) for line in lines if line.startswith(_ERROR)]
    told = [one for one in found if one.sentence] or [failure(lines[-1] if lines else "")]
    if told[-1].code is not None:
        return told[-1]
    # The engine may say on several lines what is the matter, and only the first one begins with `error:`.
    whole = _cause(" ".join(lines))
    return told[-1] if whole is Cause.OTHER else replace(told[-1], cause=whole)


@dataclass(frozen=True)
class Update:
    """An update of a stack that has ended: whether it did all that it should, and the commit that it was made from."""

    succeeded: bool
    commit: str


def updates_of(history: str) -> list[Update]:
    """Return the updates of what `pulumi stack history --json` prints, the newest first.

    Refreshes and other operations are not among them.  There are none where the text is not such a history.
    """
    try:
        listed = json.loads(history or "[]")
    except ValueError:
        return []
    found = listed if isinstance(listed, list) else []
    updates = [one for one in found if isinstance(one, Mapping) and one.get("kind") == "update"]
    return [Update(one.get("result") == "succeeded", _commit(one)) for one in updates]


def _commit(update: Mapping[str, Any]) -> str:
    found = update.get("environment")
    return str(found.get("git.head") or "") if isinstance(found, Mapping) else ""


def _stderr(printed: str) -> str:
    """Return what was printed on stderr where the Automation API tells the two streams apart; else the whole text.

    On stdout there may be the texts of others, such as what a command on a server has printed.
    """
    found = _RESULT.fullmatch(printed)
    return found["stderr"] if found and found["stderr"].strip() else printed


def provider_cause(code: object) -> Cause:
    """Return what an error code of the provider means."""
    return _PROVIDER_CODES.get(str(code), Cause.OTHER)


def _cause(text: str) -> Cause:
    for cause, pattern in _TEXTS:
        if pattern.search(text):
            return cause
    causes = (provider_cause(found["code"]) for found in _PROVIDER_CODE.finditer(text))
    return next((cause for cause in causes if cause is not Cause.OTHER), Cause.OTHER)
