"""Edits of a stack's file that preserve its formatting: comments, order, quotes, indentation and line ends.

An edit is a value first: an `Edit` has the new text, whose content is the old one plus the change.  `Edit.write`
replaces the file atomically.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from clawdet_infra.config import Problem, read_fleet
from clawdet_infra.config.problems import did_you_mean
from clawdet_infra.config.secrets import Encrypted
from clawdet_infra.config.stackfile import Loader, StackFile, read_stack_file, scalar
from clawdet_infra.config.yaml_edit import FormError, YamlText
from clawdet_infra.redaction import Redactor

PROJECT = "clawdet"
_CUSTOMERS = f"{PROJECT}:customers"
_CUSTOMERS_KEYS = (_CUSTOMERS, f"{PROJECT}:config:customers", "customers")
_VERSION = "tokenVersion"
_API_KEY = "anthropicApiKey"
_SECRET_KEYS = ("secure", _API_KEY, "telegramBotToken", "gatewayToken", "token", "hcloud:token", "encryptedkey")
_ENCRYPTION_KEYS = ("encryptionsalt", "secretsprovider", "encryptedkey")
_CONTEXT_LINES = 2
_BY_HAND = "The file is unchanged; edit it by hand."

Entry = Mapping[str, Any]


class EditCode(StrEnum):
    """Why a file was not changed."""

    NO_FILE = "no-file"
    UNREADABLE = "unreadable"
    NO_CUSTOMER = "no-customer"
    CUSTOMER_EXISTS = "customer-exists"
    OWN_TOKEN = "own-token"  # noqa: S105 -- a code
    INVALID = "invalid"
    FORM = "form"
    CHANGED_MEANWHILE = "changed-meanwhile"


class EditError(Exception):
    """The file cannot be changed; the message has the reason and what to do instead.

    With the code INVALID, `problems` are those that the configuration would have.
    """

    def __init__(self, code: EditCode, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.problems = problems


@dataclass(frozen=True)
class Edit:
    """An unwritten change of a file: its text before and after."""

    file: Path
    before: str
    after: str

    def diff(self) -> str:
        """Return a unified diff without secrets, not even encrypted ones."""
        hidden = Redactor({*_secrets(self.before), *_secrets(self.after)})

        def compared(text: str) -> list[str]:
            # Compare the original line too, so that a changed secret is a change.
            return [f"{hidden(line)}\0{line}" for line in text.splitlines()]

        old, new, name = compared(self.before), compared(self.after), self.file.name
        lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", n=_CONTEXT_LINES, lineterm="")
        return "\n".join(line.partition("\0")[0] for line in lines)

    def check(self) -> tuple[Problem, ...]:
        """Return the errors that the configuration had before and still has.

        Raises EditError if the new text causes errors that the old one does not have.
        """
        before, after = (self._errors(text) for text in (self.before, self.after))
        known = Counter(map(_without_position, before))
        new: list[Problem] = []
        for one in after:
            if known[_without_position(one)] > 0:
                known[_without_position(one)] -= 1
            else:
                new.append(one)
        if new:
            listed = "\n".join(f"  - {one}" for one in new)
            message = f"{self.file.name} would be invalid, so it is unchanged:\n{listed}"
            raise EditError(EditCode.INVALID, message, tuple(new))
        return tuple(after)

    def _errors(self, text: str) -> list[Problem]:
        with _beside(self.file, text) as file:
            problems = read_fleet(file)[1]
        return [replace(one, file=str(self.file)) for one in problems if not one.warning]

    def write(self) -> None:
        """Replace the file atomically.  Raises EditError if the file has changed since it was read."""
        with _beside(self.file, self.after) as new:
            if _read(self.file) != self.before:
                message = f"another process changed {self.file.name} in the meantime; it was not edited. Retry"
                raise EditError(EditCode.CHANGED_MEANWHILE, message)
            new.chmod(self.file.stat().st_mode & 0o7777)
            # Keeps a symbolic link.
            new.replace(self.file.resolve())


class EditableStackFile:
    """A stack's file as read.  The methods return edits, and write nothing.

    All of them raise EditError.  The constructor raises it for a file with invalid text.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._text = _read(file)
        self._stack = read_stack_file(file, PROJECT)
        if self._stack.problems:
            raise EditError(EditCode.UNREADABLE, f"the file cannot be edited: {self._stack.problems[0]}")
        self._customers = _customers(self._stack)

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return self.file.name.removeprefix("Pulumi.").removesuffix(".yaml")

    @property
    def ids(self) -> list[str]:
        """The ids of the customers in the file; "" for an entry without an id."""
        return _ids(self._stack)

    def entry(self, customer: str) -> Entry | None:
        """Return a customer's entry; None if there is none.  Encrypted values are `Encrypted`."""
        found: Entry | None = self._customers[self.ids.index(customer)] if customer in self.ids else None
        return found

    def encrypted_api_key(self, customer: str) -> str | None:
        """Return a customer's encrypted API key as in the file; None if it has no encrypted one."""
        entry = _customers_in(_texts(self._text))[self._position(customer)]
        key = entry.get(_API_KEY) if isinstance(entry, dict) else None
        return key["secure"] if isinstance(key, dict) and list(key) == ["secure"] else None

    def encryption_settings(self) -> dict[str, Any]:
        """Return the file's settings of the stack's secrets provider."""
        return {key: value for key, value in _texts(self._text).items() if key in _ENCRYPTION_KEYS}

    def add_customer(self, entry: Entry, encrypted_api_key: str) -> Edit:
        """Return the edit that appends a customer, given by the texts of its keys."""
        if entry["id"] in self.ids:
            message = f"{self.file.name} already has a customer {entry['id']}"
            raise EditError(EditCode.CUSTOMER_EXISTS, message)
        tree = _tree({**entry, _API_KEY: {"secure": encrypted_api_key}})

        def change() -> str:
            document = _Document(self._text)
            if document.customers and not document.customers.fa.flow_style():
                return document.yaml.with_item(document.customers, document.column, tree)
            return document.edited(lambda customers: customers.append(tree))

        return self._edit(
            change,
            lambda customers, key: [*customers, {**entry, _API_KEY: key}],
            ({"secure": encrypted_api_key}, Encrypted()),
        )

    def remove_customer(self, customer: str) -> Edit:
        """Return the edit that removes a customer."""
        position = self._position(customer)

        def change() -> str:
            document = _Document(self._text)
            if document.customers.fa.flow_style():
                return document.edited(lambda customers: customers.pop(position))
            text = document.yaml.without_item(document.customers, position)
            return text if len(document.customers) > 1 else _with_empty_list(text)

        return self._edit(change, lambda customers, _: [*customers[:position], *customers[position + 1 :]])

    def set_api_key(self, customer: str, encrypted_api_key: str) -> Edit:
        """Return the edit that replaces a customer's API key."""

        def change(entry: CommentedMap) -> None:
            known = entry.get(_API_KEY)
            if isinstance(known, CommentedMap) and list(known) == ["secure"]:
                known["secure"] = encrypted_api_key
            else:
                _set(entry, _API_KEY, _tree({"secure": encrypted_api_key}, flow=bool(entry.fa.flow_style())))

        return self._entry_edit(customer, change, _API_KEY, ({"secure": encrypted_api_key}, Encrypted()))

    def raise_token_version(self, customer: str) -> tuple[int, Edit]:
        """Return a customer's next tokenVersion and the edit that writes it; the current default is 1."""
        position = self._position(customer)
        entry = self._customers[position]
        if entry.get("gatewayToken") is not None:
            raise EditError(
                EditCode.OWN_TOKEN,
                f"{customer} has its own gatewayToken in {self.file.name}, which tokenVersion does not rotate: set "
                f"another with `pulumi config set --secret --path '{_CUSTOMERS}[{position}].gatewayToken'`",
            )
        version = entry.get(_VERSION, 1)
        if not isinstance(version, int) or isinstance(version, bool):
            message = f"tokenVersion of {customer} in {self.file.name} is not a whole number"
            raise EditError(EditCode.INVALID, f"{message}; see `clawdet validate {self.file}`")
        version += 1
        new = (str(version), version)
        return version, self._entry_edit(customer, lambda entry: _set(entry, _VERSION, new[0]), _VERSION, new)

    def _position(self, customer: str) -> int:
        if customer not in self.ids:
            raise _unknown(customer, self.file.name, self.ids)
        return self.ids.index(customer)

    def _entry_edit(
        self, customer: str, change: Callable[[CommentedMap], None], key: str, new: tuple[Any, Any]
    ) -> Edit:
        position = self._position(customer)

        def changed() -> str:
            document = _Document(self._text)
            if not isinstance(document.customers[position], CommentedMap):
                raise FormError(f"{customer} is not written as a mapping")
            return document.edited(lambda customers: change(customers[position]))

        def expected(customers: list[Any], value: Any) -> list[Any]:
            entry = {**customers[position], key: value}
            return [*customers[:position], entry, *customers[position + 1 :]]

        return self._edit(changed, expected, new)

    def _edit(
        self,
        change: Callable[[], str],
        expected: Callable[[list[Any], Any], list[Any]],
        new: tuple[Any, Any] = (None, None),
    ) -> Edit:
        """Return an edit whose only change are the `expected` customers.

        `expected` gets the previous customers, and one of `new`: the value as text, and as the engine reads it.
        """
        try:
            after = change()
        except FormError as error:
            place = f"{self.file.name}:{error.line}" if error.line else self.file.name
            raise EditError(EditCode.FORM, f"{place} cannot be changed safely: {error}. {_BY_HAND}") from None
        as_text, as_value = new
        texts = _texts(self._text)
        customers = _customers_in(texts)
        customers[:] = expected(list(customers), as_text)
        with _beside(self.file, after) as file:
            read = read_stack_file(file, PROJECT)
        wanted = {**self._stack.config, _CUSTOMERS: expected(self._customers, as_value)}
        if read.problems or _texts(after) != texts or read.config != wanted:
            message = f"{self.file.name} cannot be changed safely: the change would affect other entries too"
            raise EditError(EditCode.FORM, f"{message}. {_BY_HAND}")
        return Edit(self.file, self._text, after)


def stack_file_of(root: Path, customer: str, stack: str) -> EditableStackFile:
    """Return the file of a stack with this customer.  Raises EditError if it does not have the customer."""
    file = EditableStackFile(root / f"Pulumi.{stack}.yaml")
    if customer not in file.ids:
        raise _unknown(customer, file.file.name, file.ids)
    return file


def _ids(stack: StackFile) -> list[str]:
    return [str(one.get("id", "")) if isinstance(one, dict) else "" for one in _customers(stack)]


def _customers(stack: StackFile) -> list[Any]:
    customers = stack.config.get(_CUSTOMERS)
    return customers if isinstance(customers, list) else []


class _Document:
    """The text of a stack's file with its list of customers.  Raises FormError if it is not written as a list."""

    def __init__(self, text: str) -> None:
        self.yaml = YamlText(text)
        config, key = _place_of_customers(self.yaml.tree)
        if not isinstance(config[key], CommentedSeq):
            raise FormError(f"`{_CUSTOMERS}` is not written as a list")
        self.customers: CommentedSeq = config[key]
        self.column: int = config.lc.key(key)[1]

    def edited(self, change: Callable[[CommentedSeq], object]) -> str:
        """Return the text after a change of the list of customers; an empty list becomes block style."""

        def change_tree(tree: CommentedMap) -> None:
            config, key = _place_of_customers(tree)
            if not config[key]:
                config[key].fa.set_block_style()
            change(config[key])

        return self.yaml.edited(change_tree, self.customers, self.column)


def _place_of_customers(tree: CommentedMap) -> tuple[CommentedMap, str]:
    config = tree.get("config")
    key = next((one for one in _CUSTOMERS_KEYS if isinstance(config, CommentedMap) and one in config), None)
    if key is None:
        raise FormError(f"`{_CUSTOMERS}` is not written as a list")
    return config, key


def _with_empty_list(text: str) -> str:
    """Return a text with `[]` after a `clawdet:customers:` that has become empty."""
    yaml_text = YamlText(text)
    config, key = _place_of_customers(yaml_text.tree)

    def change(tree: CommentedMap) -> None:
        empty = CommentedSeq()
        empty.fa.set_flow_style()
        _place_of_customers(tree)[0][key] = empty

    return yaml_text.edited(change, CommentedSeq(), config.lc.key(key)[1])


def _set(entry: CommentedMap, key: str, value: Any) -> None:
    """Set a key of a customer; a new one is inserted after the plan, if there is one."""
    if key in entry:
        entry[key] = value
        return
    keys = list(entry)
    entry.insert(keys.index("plan") + 1 if "plan" in keys else len(keys), key, value)


def _tree(entry: Entry, *, flow: bool = False) -> CommentedMap:
    tree = CommentedMap(
        (key, _tree(one) if isinstance(one, Mapping) else _text(str(one))) for key, one in entry.items()
    )
    if flow:
        tree.fa.set_flow_style()
    return tree


def _text(value: str) -> str:
    """Return a text, in quotes if the engine would read it as another type without them."""
    try:
        node = yaml.compose(value, Loader)
    except yaml.YAMLError:
        node = None
    if isinstance(node, yaml.ScalarNode) and not node.style and node.tag.endswith(":str") and scalar(node) == value:
        return value
    quoted: str = DoubleQuotedScalarString(value)
    return quoted


def _texts(text: str) -> dict[str, Any]:
    """Return a document's content with every value as text; aliases are resolved, merges are not."""
    content = yaml.load(text.removeprefix("\ufeff"), getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 -- it creates texts only
    return content if isinstance(content, dict) else {}


def _customers_in(texts: Mapping[str, Any]) -> list[Any]:
    config = texts.get("config")
    found = next((config[key] for key in _CUSTOMERS_KEYS if isinstance(config, dict) and key in config), None)
    return found if isinstance(found, list) else []


def _secrets(text: str) -> Iterator[str]:
    """Yield a document's secrets and encrypted values, each split at white space, because lines may break there."""

    def search(value: Any, name: str) -> Iterator[str]:
        if isinstance(value, str) and name in _SECRET_KEYS:
            yield from value.split()
        for key, one in value.items() if isinstance(value, dict) else ():
            yield from search(one, str(key))
        for one in value if isinstance(value, list) else ():
            yield from search(one, name)

    yield from search(_texts(text), "")


def _without_position(problem: Problem) -> tuple[str, str, str, int]:
    """Return a problem's identity, independent of its line and position in the list."""
    customer = problem.customer or ""
    field = re.sub(r"\[[0-9]+\]", "[]", problem.field)
    return field, problem.message, customer if customer[:1] != "#" else "#", problem.demand


def _unknown(customer: str, where: str, known: list[str]) -> EditError:
    message = f"there is no customer {customer} in {where}. {did_you_mean(customer, known)}"
    return EditError(EditCode.NO_CUSTOMER, message.rstrip())


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", newline="") as reading:
            return reading.read()
    except FileNotFoundError:
        raise EditError(EditCode.NO_FILE, f"there is no file {file}") from None
    except OSError as error:
        raise EditError(EditCode.UNREADABLE, f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise EditError(EditCode.UNREADABLE, f"{file} cannot be read: it is not UTF-8 text") from None


@contextmanager
def _beside(file: Path, text: str) -> Iterator[Path]:
    """Yield a temporary file with a text, in the directory of `file`, which it can replace."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.resolve().parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as writing:
            writing.write(text)
            writing.flush()
            os.fsync(writing.fileno())
        yield new
    finally:
        new.unlink(missing_ok=True)
