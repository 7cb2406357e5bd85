"""Reads a stack file (`Pulumi.<stack>.yaml`) without the engine, with the position of each value.

Values are resolved as the engine does, which differs from PyYAML; see `scalars`.  Encrypted values (`{secure: …}`)
become `Encrypted`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clawdet_infra.config.problems import Problem, quoted
from clawdet_infra.config.scalars import resolve
from clawdet_infra.config.secrets import Encrypted

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader if PyYAML has it; it is about ten times as fast."""

Place = tuple[int, int]
MOST_VALUES = 1_000_000
"""A limit, because aliases can expand a short file endlessly."""

_STANDARD = "tag:yaml.org,2002:"


@dataclass
class StackFile:
    """A stack file's content: its configuration by full key, the position of each value, and problems of the text.

    `places` maps a path such as `clawdet:customers[2].plan` to line and column, both from 1; `written` maps it to the
    text of a scalar.  `encrypted` has the paths of encrypted values.  An `environment` of Pulumi ESC adds settings that
    are not in the file.
    """

    path: str
    config: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    encrypted: set[str] = field(default_factory=set)
    environment: bool = False
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: str, message: str, hint: str = "", place: Place | None = None) -> None:
        """Record a problem of the file's text."""
        line, column = place or self.place(path)
        self.problems.append(Problem(field=path, message=message, hint=hint, file=self.path, line=line, column=column))

    def place(self, path: str) -> Place:
        """Return line and column of a value, or of its nearest existing parent."""
        while path and path not in self.places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.places.get(path, (1, 1))


def read_stack_file(path: Path, project: str) -> StackFile:
    """Read a stack file.  Keys without a namespace belong to the project, as for the engine.

    Raises OSError if the file cannot be read; problems of its text are in `problems`.
    """
    stack = StackFile(str(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        stack.problem("config", "cannot be read: the file is not UTF-8 text.")
        return stack
    try:
        root = yaml.compose(text, Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if tab := _tab_before(text, place[0]):
            message = "cannot be read: the line is indented with a tab; YAML allows only spaces."
            stack.problem("config", message, "Replace the tab with spaces.", place=tab)
            return stack
        said = quoted(str(getattr(error, "problem", None) or "broken"))
        stack.problem("config", f"cannot be read: it is not valid YAML ({said.strip(chr(39))}).", place=place)
        return stack
    _Reader(stack, project).document(root)
    return stack


def _tab_before(text: str, line: int) -> Place | None:
    """Return the place of the first tab in a line's indentation; None if it has none."""
    written = text.splitlines()[line - 1] if line <= len(text.splitlines()) else ""
    indentation = written[: len(written) - len(written.lstrip())]
    return (line, indentation.index("\t") + 1) if "\t" in indentation else None


class _Reader:
    def __init__(self, stack: StackFile, project: str):
        self.stack = stack
        self.project = project
        self.open: set[int] = set()
        self.count = 0

    def document(self, root: yaml.Node | None) -> None:
        config = None
        if isinstance(root, yaml.MappingNode):
            parts = {key.value: value for key, value in root.value if isinstance(key, yaml.ScalarNode)}
            config = parts.get("config")
            self.stack.environment = "environment" in parts
            if config is None and self.stack.environment:
                return
        if not isinstance(config, yaml.MappingNode):
            self.stack.problem("config", "is missing: a stack file has its settings under `config:`.")
            return
        self.stack.config = self.mapping(config, "", top=True)

    def value(self, node: yaml.Node, path: str) -> Any:
        if isinstance(node, yaml.ScalarNode):
            self.stack.written[path] = str(node.value)
            return scalar(node)
        self.count += 1
        if self.count > MOST_VALUES:
            if self.count == MOST_VALUES + 1:
                self.stack.problem(path, f"has more than {MOST_VALUES} values, by YAML aliases.")
            return None
        if id(node) in self.open:
            self.stack.problem(path, "contains itself by a YAML alias.")
            return None
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return self.sequence(node, path)
            if isinstance(node, yaml.MappingNode):
                if not _is_secure(node):
                    return self.mapping(node, path)
                self.stack.encrypted.add(path)
                return Encrypted()
        finally:
            self.open.discard(id(node))
        return None

    def sequence(self, node: yaml.SequenceNode, path: str) -> list[Any]:
        values = []
        for position, item in enumerate(node.value):
            here = f"{path}[{position}]"
            self.stack.places[here] = _place(item)
            values.append(self.value(item, here))
        return values

    def mapping(self, node: yaml.MappingNode, path: str, top: bool = False) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            if key.tag == f"{_STANDARD}merge":
                for part in item.value if isinstance(item, yaml.SequenceNode) else [item]:
                    whole = self.value(part, path)
                    merged = (whole if isinstance(whole, dict) else {}) | merged
                continue
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "(a key that is not text)"
            if top:
                name = name if ":" in name else f"{self.project}:{name}"
                name = name.replace(":config:", ":", 1)
            here = f"{path}.{name}" if path else name
            if name in values:
                line, _ = self.stack.place(here)
                self.stack.problem(here, f"is written twice, first in line {line}.", "Remove one.", _place(key))
                continue
            self.stack.places[here] = _place(key)
            values[name] = self.value(item, here)
        return merged | values


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _is_secure(node: yaml.MappingNode) -> bool:
    if len(node.value) != 1:
        return False
    key, value = node.value[0]
    return key.value == "secure" and isinstance(value, yaml.ScalarNode) and isinstance(scalar(value), str)


def _is_text_by_tag(tag: str, text: str) -> bool:
    """Return whether `!!str` marks the text: by itself PyYAML would have read it as another type."""
    if tag != f"{_STANDARD}str":
        return not tag.startswith(_STANDARD)
    resolver: Any = yaml.resolver.Resolver()
    return bool(resolver.resolve(yaml.ScalarNode, text, (True, False)) != tag)


def scalar(node: yaml.ScalarNode) -> Any:
    """Return the value of a scalar as the engine's YAML reader resolves it."""
    text = str(node.value)
    if node.style or _is_text_by_tag(node.tag, text):
        return text
    return resolve(text)
