"""Checks a stack file against every rule, without the engine, with file and line for each problem."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from clawdet_infra.config.fleet import Fleet
from clawdet_infra.config.loader import CLOUD_TOKEN, Written, examine, load_fleet
from clawdet_infra.config.problems import ConfigurationError, Problem, Suggestion, in_order, nearest, quoted, remove
from clawdet_infra.config.secrets import Encrypted
from clawdet_infra.config.stackfile import StackFile, read_stack_file

PROJECT = "clawdet"
_PROVIDER = CLOUD_TOKEN.partition(":")[0]
NAMESPACES = (PROJECT, _PROVIDER)
"""The namespaces of this program's keys; others belong to other programs."""
MAY_HOLD_SECRETS = ("customers", "cloud")
"""The top-level keys that may be encrypted, completely or in part."""
_TRUTHS = ("protect",)
_SECRETS = ("anthropicApiKey", "telegramBotToken", "gatewayToken")


def check_file(path: str | Path) -> list[Problem]:
    """Return all problems of a stack file, including warnings, in the order of its lines.

    Encrypted secrets count as present; their formats are checked when the engine has decrypted them.  The cloud's token
    may come from the environment, so it may be missing here, and a local cloud need not be up.
    """
    return read_fleet(path)[1]


def read_fleet(path: str | Path) -> tuple[Fleet | None, list[Problem]]:
    """Return the fleet of a stack file, and the problems as `check_file` returns them.

    The fleet is None if it is invalid, or if the file alone is not enough: it has an encrypted value that is not one of
    the model's secrets, or an environment of Pulumi ESC; a warning reports this.  Encrypted secrets are `Encrypted` in
    the fleet.
    """
    path = Path(path)
    try:
        stack = read_stack_file(path, PROJECT)
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else str(error.strerror).lower()
        problem = Problem(field="config", message=f"cannot be read: {why}.", file=str(path), line=1, column=1)
        return None, [problem]
    if stack.problems and not stack.config:
        return None, stack.problems
    raw = _raw(stack)
    fleet, found = examine(
        raw,
        # An empty token is read from the environment, like a missing one.
        token=stack.config.get(CLOUD_TOKEN) or Encrypted(),
        incomplete=stack.environment,
        written=lambda path: stack.written.get(f"{PROJECT}:{path}"),
        decided_later=_decided_later(stack),
    )
    problems = [*found, *unread_keys(stack.config), *_not_in_the_file(stack)]
    placed = [_placed(problem, stack) for problem in problems]
    return None if stack.environment else fleet, in_order([*stack.problems, *_open_secrets(raw, stack), *placed])


def read_config(
    config: Mapping[str, str],
    *,
    secret: Container[str],
    token: str | None,
    file: Path,
    local_cloud: Callable[[Path], dict[str, Any]],
) -> Fleet:
    """Return the fleet of a configuration as the engine passes it: a text for each full key, secrets decrypted.

    `secret` has the encrypted keys, `token` the cloud's token if the configuration has none, and `file` is the stack's
    file, which may be missing.  `local_cloud` reads a local cloud's description file.
    Raises ConfigurationError with all problems.
    """
    mark = f"{PROJECT}:"
    names = sorted(key.removeprefix(mark) for key in config if key.startswith(mark))
    raw = {name: decode(name, config[f"{mark}{name}"]) for name in names}
    problems = [*_needlessly_secret(names, secret), *unread_keys(sorted(config))]
    if isinstance(raw.get("cloud"), str) and raw["cloud"]:
        try:
            raw["cloud"] = local_cloud(file.parent / raw["cloud"])
        except ConfigurationError as error:
            problems += error.problems
            raw["cloud"] = {"token": Encrypted()}
    try:
        fleet = load_fleet(raw, token=token, written=_written_in(file))
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return fleet


def _needlessly_secret(names: Iterable[str], secret: Container[str]) -> Iterator[Problem]:
    """Yield encrypted settings that are public: they appear in host names, labels or the preview."""
    for name in names:
        if f"{PROJECT}:{name}" in secret and name not in MAY_HOLD_SECRETS:
            message = "is encrypted, but must be in plain text: it is not a secret, and reviewers have to see it."
            yield Problem(field=name, message=message, hint="Set it again with `pulumi config set --plaintext`.")


def _written_in(file: Path) -> Written:
    """Return a function from a path to the value's text in a stack's file; the first call reads the file."""

    @functools.cache
    def texts() -> Mapping[str, str]:
        try:
            return read_stack_file(file, PROJECT).written
        except OSError:
            return {}

    return lambda path: texts().get(f"{PROJECT}:{path}")


def unread_keys(keys: Collection[str]) -> Iterator[Problem]:
    """Yield unused keys of a stack that look like keys of this program."""
    for key in keys:
        namespace, _, name = key.partition(":")
        if namespace == PROJECT or key == CLOUD_TOKEN:
            continue
        near = next(iter(get_close_matches(namespace.casefold(), NAMESPACES, n=1, cutoff=0.8)), None)
        if near is None:
            continue
        better = f"{PROJECT}:{_known_key(name)}" if near == PROJECT else CLOUD_TOKEN
        # The intended meaning of the provider's other settings is unknown.
        clear = near == PROJECT or nearest(name, ["token"]) is not None
        what = f"in the namespace {quoted(namespace)}, which nothing reads"
        if namespace == near:
            what = f"not read: the program reads only `{CLOUD_TOKEN}` of the namespace {namespace}"
        yield Problem(
            field=key,
            message=f"is {what}.",
            suggestion=_renamed(key, better, keys) if clear else None,
            hint="" if clear else "Remove it; `clawdet:cloud` says how the cloud is reached.",
        )


def _renamed(key: str, better: str, keys: Collection[str]) -> Suggestion:
    if better in keys:
        return remove(f"`{better}` is already set; remove this line.", field=key)
    return Suggestion(action="rename", field=key, value=better, sentence=f"Did you mean `{better}`?")


def _known_key(name: str) -> str:
    known = [field.alias or own for own, field in Fleet.model_fields.items()]
    return name if name in known else nearest(name, known) or name


def _not_in_the_file(stack: StackFile) -> Iterator[Problem]:
    if stack.environment:
        yield Problem(
            field="environment",
            message="adds settings that are not in the file; only the engine can read and check them.",
            hint="Run `clawdet preview`, which asks the engine.",
            warning=True,
        )


def _decided_later(stack: StackFile) -> set[str]:
    """Return the paths of encrypted values that the engine decrypts for the program."""
    paths = {path.removeprefix(f"{PROJECT}:") for path in stack.encrypted if path.startswith(f"{PROJECT}:")}
    return {path for path in paths if re.split(r"[.\[]", path, maxsplit=1)[0] in MAY_HOLD_SECRETS}


def decode(key: str, text: str) -> Any:
    """Return the value of the text that the engine passes for a top-level key.

    The engine converts every top-level value to text: lists and mappings to JSON, booleans to words.
    """
    if key in _TRUTHS and text in ("true", "false"):
        return text == "true"
    if text.startswith(("{", "[")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _raw(stack: StackFile) -> dict[str, Any]:
    raw = {}
    for key, value in stack.config.items():
        namespace, _, name = key.partition(":")
        if namespace == PROJECT:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            raw[name] = decode(name, text) if isinstance(value, str | int | float) else value
    if isinstance(raw.get("cloud"), str):
        # The path of a file that the local cloud writes when it is up; the file has the cloud's endpoint.
        raw["cloud"] = {"endpoint": "http://localhost"}
    return raw


def _open_secrets(raw: Mapping[str, Any], stack: StackFile) -> Iterator[Problem]:
    """Yield warnings for secrets in plain text."""
    places: list[tuple[str, Any]] = [(CLOUD_TOKEN, stack.config.get(CLOUD_TOKEN))]
    customers = raw.get("customers")
    for position, entry in enumerate(customers if isinstance(customers, list) else ()):
        for name in _SECRETS if isinstance(entry, dict) else ():
            places.append((f"{PROJECT}:customers[{position}].{name}", entry.get(name)))
    for path, value in places:
        if isinstance(value, str) and value:
            line, column = stack.place(path)
            yield Problem(
                field=path.removeprefix(f"{PROJECT}:"),
                message="is in plain text; everyone who can read the file can use it.",
                hint=f"Encrypt it with `pulumi config set --secret --path '{path}'`.",
                file=stack.path,
                line=line,
                column=column,
                warning=True,
            )


def _placed(problem: Problem, stack: StackFile) -> Problem:
    path = problem.field if ":" in problem.field.partition(".")[0] else f"{PROJECT}:{problem.field}"
    line, column = stack.place(path)
    return replace(problem, file=stack.path, line=line, column=column)
