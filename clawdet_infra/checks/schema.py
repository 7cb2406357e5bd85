"""Checks compose files against the compose specification."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clawdet_infra.checks.document import Document
from clawdet_infra.checks.finding import Finding

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

_SCHEMA = Path(__file__).parent / "compose_spec" / "compose-spec.json"


def schema(document: Document) -> Iterator[Finding]:
    """Yield keys and values that the specification does not allow."""
    for error in _validator().iter_errors(document.content):
        finding = _finding(_closest(error))
        if finding is not None:
            yield finding


@functools.cache
def _validator() -> Draft202012Validator:
    # Imported on demand: the import takes a tenth of the time that a validation may take.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(_content())


@functools.cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    return content


def _closest(error: ValidationError) -> ValidationError:
    """Return the most specific error inside of a choice: the deepest one."""
    while error.context:
        error = max(error.context, key=lambda one: (len(one.absolute_path), one.validator != "type"))
    return error


def _finding(error: ValidationError) -> Finding | None:
    path = list(error.absolute_path)
    service = str(path[1]) if len(path) > 1 and path[0] == "services" else None
    inside = _shown(path[2:] if service else path)
    at = f"`{inside}` " if inside else ""
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        unknown, known = _unknown(error)
        if not unknown:  # The problem is inside of a known key, and another error reports it.
            return None
        near = [match for key in unknown for match in get_close_matches(str(key), known, n=1)]
        return Finding(
            rule="schema",
            message=f"{at}has {_listed(unknown)}, which the compose specification does not know.",
            hint=f"Did you mean {_listed(near)}?" if near else "Remove it, or check its spelling and indentation.",
            service=service,
        )
    return Finding(
        rule="schema",
        message=f"{at}does not fit the compose specification: it {_reason(error)}.",
        hint="See https://docs.docker.com/reference/compose-file/.",
        service=service,
    )


def _unknown(error: ValidationError) -> tuple[list[Any], list[str]]:
    """Return the keys of a mapping that are not in its schema, and those in the schema."""
    instance: Any = error.instance
    properties: dict[str, Any] = {}
    patterns: list[str] = []
    pending: list[Any] = [error.schema]
    while pending:
        part = pending.pop()
        properties |= part.get("properties", {})
        patterns += part.get("patternProperties", {})
        pending += part.get("allOf", [])
        if "$ref" in part:
            pending.append(_definitions()[part["$ref"].rpartition("/")[2]])
    fits = re.compile("|".join(patterns) or r"(?!)")
    return [key for key in instance if key not in properties and not fits.search(str(key))], sorted(properties)


def _definitions() -> dict[str, Any]:
    definitions: dict[str, Any] = _content()["$defs"]
    return definitions


def _reason(error: ValidationError) -> str:
    # Only the value's type is shown: it might be a misplaced secret.
    rule: Any = error.validator_value
    instance: Any = error.instance
    if error.validator == "type":
        return f"is {_kind(instance)} and should be {rule if isinstance(rule, str) else ' or '.join(rule)}"
    if error.validator == "required":
        return f"lacks {_listed([key for key in rule if key not in instance])}"
    return f"breaks the rule {error.validator}: {json.dumps(rule)[:80]}"


def _kind(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "empty"}
    return names.get(type(value), "number")


def _listed(keys: Sequence[Any]) -> str:
    return " and ".join(f"`{key}`" for key in keys)


def _shown(path: Sequence[Any]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
