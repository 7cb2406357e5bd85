"""Compose files, parsed as strictly as Compose parses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from clawdet_infra.checks.finding import Finding

_SERVICE = re.compile(r"^  (?P<name>[A-Za-z0-9._-]+):\s*(?:#.*)?$")

Service = Mapping[str, Any]


@dataclass(frozen=True)
class Document:
    """The compose file of one deployment: of a customer, or (`edge`) of a shared host's edge proxy."""

    content: Mapping[str, Any]
    edge: bool = False

    @property
    def services(self) -> Mapping[str, Service]:
        """The services by name, if they are mappings; the schema reports others."""
        services = self.content.get("services")
        entries = services.items() if isinstance(services, Mapping) else ()
        return {str(name): service for name, service in entries if isinstance(service, Mapping)}


def read(text: str, *, edge: bool = False) -> Document | Finding:
    """Return the parsed document, or the finding that the text cannot be parsed."""
    try:
        content = yaml.load(text, Loader=_Strict)  # noqa: S506 -- it is a safe loader
    except (yaml.YAMLError, ValueError) as error:  # A ValueError is for an invalid date or number.
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        quoted = text.splitlines()[mark.line].strip() if mark and mark.line < text.count("\n") else ""
        return Finding(
            rule="yaml",
            message=f"is not valid YAML: {problem}{f', at `{quoted}`' if quoted else ''}.",
            hint="Check the indentation and the quotes there.",
            service=_service_at(text, mark.line) if mark else None,
        )
    if not isinstance(content, Mapping):
        return Finding(rule="yaml", message="is not a compose file: its top level is not a mapping.")
    return Document(content, edge)


class _Strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Rejects duplicate keys, as Compose does; PyYAML would silently use the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key `{key.value}` is written twice", key.start_mark
                    )
                seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def _service_at(text: str, line: int) -> str | None:
    """Return the service at a line, found by indentation, because the text is not valid YAML; None without one."""
    before = text.splitlines()[: line + 1]
    start = next((at for at, one in enumerate(before) if one.startswith("services:")), None)
    if start is None:
        return None
    found = None
    for one in before[start + 1 :]:
        if one[:1].isalpha():
            return None
        if match := _SERVICE.match(one):
            found = match["name"]
    return found
