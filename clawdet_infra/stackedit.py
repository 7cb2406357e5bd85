"""Small changes to a stack's file that leave everything else in it as it was: comments, order, secrets, spacing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from clawdet_infra.model.problems import did_you_mean
from clawdet_infra.model.stackfile import StackFile, read_stack_file

PROJECT = "clawdet"
_CUSTOMERS = f"{PROJECT}:customers"
_VERSION = "tokenVersion"
_MARK = "\ufeff"


class EditError(Exception):
    """The file cannot be changed; the text says why and what to do instead."""


def stack_file_of(root: Path, customer: str, stack: str | None = None) -> Path:
    """Return the file of the stack that has a customer.  Raises EditError where none has, or several."""
    files = [root / f"Pulumi.{stack}.yaml"] if stack else sorted(root.glob("Pulumi.*.yaml"))
    found: list[Path] = []
    known: list[str] = []
    for file in files:
        try:
            ids = _ids(read_stack_file(file, PROJECT))
        except OSError:
            raise EditError(f"there is no file {file}") from None
        known += ids
        if customer in ids:
            found.append(file)
    if not found:
        where = files[0].name if stack else f"the stacks' files in {root}"
        raise EditError(f"there is no customer {customer} in {where}. {did_you_mean(customer, known)}".rstrip())
    if len(found) > 1:
        names = " and ".join(file.name for file in found)
        raise EditError(f"{names} both have a customer {customer}: say which stack is meant, with -s")
    return found[0]


def raise_token_version(file: Path, customer: str) -> int:
    """Raise a customer's tokenVersion by one, in the file, and return it; it is 1 where none is written.

    The file is replaced in one step, and only where it then says the same as before in all else.  Raises EditError.
    """
    before = read_stack_file(file, PROJECT)
    position = _ids(before).index(customer)
    entry = before.config[_CUSTOMERS][position]
    if entry.get("gatewayToken") is not None:
        raise EditError(
            f"{customer} has a gatewayToken of its own in {file.name}, which is used as it is: set another with "
            f"`pulumi config set --secret --path '{_CUSTOMERS}[{position}].gatewayToken'`"
        )
    version = entry.get(_VERSION, 1)
    if not isinstance(version, int) or isinstance(version, bool):
        raise EditError(f"tokenVersion of {customer} in {file.name} is no whole number; see `clawdet validate {file}`")
    with file.open(encoding="utf-8", newline="") as reading:
        text = reading.read()
    changed = _changed(text, position, version + 1, customer, file)
    _replace(file, changed, before, position, version + 1)
    return version + 1


def _changed(text: str, position: int, version: int, customer: str, file: Path) -> str:
    """Return the text with the version written."""
    mark = _MARK if text.startswith(_MARK) else ""
    body = text.removeprefix(mark)
    node = _entry(body, position)
    if node is None:
        raise EditError(
            f"{customer} is not written as a mapping in {file.name}: write tokenVersion: {version} there by hand"
        )
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value == _VERSION:
            return mark + body[: value.start_mark.index] + str(version) + body[value.end_mark.index :]
    # After the plan, which every customer has, as one more line or one more pair.
    pairs = [(key, value) for key, value in node.value if isinstance(value, yaml.ScalarNode)]
    key, value = next((pair for pair in pairs if pair[0].value == "plan"), pairs[0])
    end = value.end_mark.index
    if node.flow_style:
        return f"{mark}{body[:end]}, {_VERSION}: {version}{body[end:]}"
    newline = "\r\n" if "\r\n" in body else "\n"
    line_end = body.find("\n", end)
    indent = " " * key.start_mark.column
    if line_end < 0:
        return f"{mark}{body}{newline}{indent}{_VERSION}: {version}{newline}"
    return f"{mark}{body[: line_end + 1]}{indent}{_VERSION}: {version}{newline}{body[line_end + 1 :]}"


def _entry(text: str, position: int) -> yaml.MappingNode | None:
    """Return the node of a customer."""
    # Not libyaml, whose marks count bytes.
    root = yaml.compose(text, yaml.SafeLoader)
    config = _value(root, "config")
    customers = _value(config, _CUSTOMERS, f"{PROJECT}:config:customers", "customers")
    if not isinstance(customers, yaml.SequenceNode):
        return None
    node = customers.value[position]
    return node if isinstance(node, yaml.MappingNode) else None


def _value(node: yaml.Node | None, *names: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value in names), None)


def _replace(file: Path, text: str, before: StackFile, position: int, version: int) -> None:
    """Put a new text in the file's place, if it says what the old one said, with this version."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as writing:
            writing.write(text)
            writing.flush()
            os.fsync(writing.fileno())
        new.chmod(file.stat().st_mode & 0o7777)
        wanted: dict[str, Any] = dict(before.config)
        customers = list(wanted[_CUSTOMERS])
        customers[position] = {**customers[position], _VERSION: version}
        after = read_stack_file(new, PROJECT)
        if len(after.problems) != len(before.problems) or after.config != {**wanted, _CUSTOMERS: customers}:
            raise EditError(
                f"{file.name} is written in a way that cannot be changed safely: raise tokenVersion by hand"
            )
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def _ids(stack: StackFile) -> list[str]:
    customers = stack.config.get(_CUSTOMERS)
    if not isinstance(customers, list):
        return []
    return [str(one.get("id", "")) if isinstance(one, dict) else "" for one in customers]
