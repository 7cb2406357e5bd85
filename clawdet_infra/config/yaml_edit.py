"""Edits a YAML text with ruamel.yaml and keeps every other line, byte for byte.

ruamel.yaml reads the text, changes its tree and writes the new lines.  Only these are inserted into the text, because
ruamel.yaml aligns, folds and moves comments in its own way.
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tokens import (
    BlockEndToken,
    BlockEntryToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    CommentToken,
    StreamEndToken,
)

_MARK = "\ufeff"
_WITHOUT_TEXT = (BlockEndToken, BlockMappingStartToken, BlockSequenceStartToken, CommentToken, StreamEndToken)
_UNLIMITED = 10**9
_OTHER_LINE_END = re.compile("\r(?!$)|[\x85\u2028\u2029]")
_WORD = re.compile(r"([^\s{},\[\]]+)")


class FormError(Exception):
    """The text's formatting cannot be preserved; `line`, from 1, is the place, if known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class _Indent:
    """Indentation of a list of mappings: from its key to the dashes, after the dashes, and in nested mappings."""

    to_dash: int
    after_dash: int
    nested: int


class YamlText:
    """A YAML text with or without a byte order mark, and with any line ends.  Raises FormError if it cannot be read.

    Scalars in its tree are texts as written: ruamel.yaml converts none to a number or a date.
    """

    tree: CommentedMap

    def __init__(self, text: str) -> None:
        self._mark = _MARK if text.startswith(_MARK) else ""
        self._lines = text.removeprefix(self._mark).split("\n")
        for number, line in enumerate(self._lines, start=1):
            if _OTHER_LINE_END.search(line):
                raise FormError("the line has a character that ends lines for some YAML readers only", number)
        self.tree = self._load()

    def edited(self, change: Callable[[Any], None], items: CommentedSeq, key_column: int) -> str:
        """Return the text after a change of the tree in one place; `change` gets a separate tree.

        `items` and `key_column` are those of the surrounding list, whose indentation new lines get.
        """
        indent = self._indent(items, key_column)
        # A tree writes its comments only once.
        before, tree = _dump(self._load(), indent), self._load()
        change(tree)
        after = _dump(tree, indent)
        start, end = _common(before, after)
        old, new = before[start : len(before) - end], after[start : len(after) - end]
        at = self._place(before, start, len(old))
        own = [line.removesuffix("\r") for line in self._lines[at : at + len(old)]]
        if old and len(old) == len(new):
            patched = [_patched(*lines) for lines in zip(own, old, new, strict=True)]
            for number, line in enumerate(patched, start=at + 1):
                if line is None:
                    raise FormError("the line is written in a form that ruamel.yaml would change", number)
            return self._with(range(at, at + len(old)), [line for line in patched if line is not None])
        for number, (mine, line) in enumerate(zip(own, old, strict=True), start=at + 1):
            if mine.lstrip() != line.lstrip():
                raise FormError("the line is written in a form that ruamel.yaml would change", number)
        if follows := [line for line in own if _is_no_content(line)]:
            # If a value becomes several lines, ruamel.yaml writes the comments after it between them.
            new = [line for line in new if not _is_no_content(line)] + follows
        # New lines go below the last line with content, in the indentation of that line.
        known = start + (1 if old else 0)
        while not old and at > 0 and _is_no_content(self._lines[at - 1]):
            at -= 1
        while known > 0 and _is_no_content(before[known - 1]):
            known -= 1
        reference = self._lines[at if old else at - 1]
        further = _indentation(reference) - _indentation(before[known - 1])
        return self._with(range(at, at + len(old)), [_indented(line, further) for line in new])

    def with_item(self, items: CommentedSeq, key_column: int, item: Mapping[str, Any]) -> str:
        """Return the text with one more item at the end of a non-empty list in block style."""
        indent = self._indent(items, key_column)
        known = self._items(items)
        start, stop = known[-1].start, known[-1].stop
        dash = " " * items.lc.col
        new = [f"{dash}{line}" for line in _dump([item], _Indent(0, indent.after_dash, indent.nested))]
        if len(known) > 1 and not self._lines[start - 1].strip():
            new.insert(0, "")
        return self._with(range(stop, stop), new)

    def without_item(self, items: CommentedSeq, position: int) -> str:
        """Return the text without one of several items of a list in block style.

        Comments about this item alone are removed with it, and so is the empty line before or after it.
        """
        known = self._items(items)
        start, stop = known[position].start, known[position].stop
        if position + 1 < len(known):
            while stop < known[position + 1].start and not self._lines[stop].strip():
                stop += 1
        else:
            while start > known[position - 1].stop and not self._lines[start - 1].strip():
                start -= 1
        return self._with(range(start, stop), [])

    def _load(self) -> CommentedMap:
        try:
            tree = _yaml().load(self._normal)
        except (YAMLError, ValueError, NotImplementedError) as error:
            mark = getattr(error, "problem_mark", None)
            why = getattr(error, "problem", None) or "it is not a single YAML document"
            raise FormError(f"ruamel.yaml cannot read it: {why}", mark.line + 1 if mark else None) from None
        if not isinstance(tree, CommentedMap):
            raise FormError("it is not a YAML mapping")
        return tree

    @property
    def _normal(self) -> str:
        return "\n".join(line.removesuffix("\r") for line in self._lines)

    def _with(self, place: range, new: list[str]) -> str:
        """Return the text with new lines in place of others, with the line ends of their neighbors."""
        lines = list(self._lines)
        # The last line may have no line end; then the one before it decides.
        neighbors = lines[max(place.start - 2, 0) : place.stop + 1]
        returned = "\r" if any(line.endswith("\r") for line in neighbors) else ""
        rest = [f"{line}{returned}" for line in new]
        if place.stop == len(lines):
            if not new:
                rest = [""]
            elif place.start < place.stop:
                rest[-1] = new[-1]
            else:
                # The line without a line end is no longer the last one.
                lines[-1] += returned
                rest.append("")
        lines[place.start : place.stop] = rest
        return self._mark + "\n".join(lines)

    def _place(self, before: list[str], start: int, count: int) -> int:
        """Return the position in the text of a line in ruamel.yaml's unchanged output."""
        own = [line.removesuffix("\r") for line in self._lines]
        if not own[-1]:
            own.pop()
        if len(own) == len(before):
            return start
        # ruamel.yaml has folded lines, so those before and after are found by their words.
        written, mine = ([" ".join(_WORD.findall(line)) for line in lines] for lines in (before, own))
        same_start, same_end = _common(written, mine)
        if start + count <= same_start:
            return start
        if start >= len(before) - same_end:
            return start + len(own) - len(before)
        found = difflib.SequenceMatcher(
            a=written[same_start : len(written) - same_end], b=mine[same_start : len(mine) - same_end], autojunk=False
        )
        first, last = start - same_start - (0 if count else 1), start - same_start + count
        for block in found.get_matching_blocks():
            if block.a <= first and last <= block.a + block.size:
                return start + block.b - block.a
        raise FormError("ruamel.yaml would fold lines at the place of the change", same_start + 1)

    def _indent(self, items: CommentedSeq, key_column: int) -> _Indent:
        nested, to_dash, after_dash = key_column or 2, 2, 2
        if items and not items.fa.flow_style():
            column = items.lc.item(len(items) - 1)[1]
            dash = items.lc.col
            to_dash, after_dash = dash - key_column, max(column - dash, 2)
            for item in items:
                nested = _nested(item) or nested
        return _Indent(to_dash, after_dash, nested)

    def _items(self, items: CommentedSeq) -> list[range]:
        """Return the lines of each item of a block list, from 0, with the comments about this item alone."""
        dash = items.lc.col
        tokens = [one for one in _yaml().scan(self._normal) if not isinstance(one, _WITHOUT_TEXT)]
        spans: list[list[int]] = []
        for token in tokens:
            line, column = token.start_mark.line, token.start_mark.column
            if line < items.lc.line:
                continue
            if isinstance(token, BlockEntryToken) and column == dash and len(spans) < len(items):
                spans.append([line, line])
            elif spans and line > spans[-1][0] and column <= dash:
                break
            elif spans:
                end = token.end_mark
                spans[-1][1] = max(spans[-1][1], end.line if end.column else end.line - 1)
        if len(spans) != len(items):
            raise FormError("its list is written in a form that cannot be edited", items.lc.line + 1)
        return self._with_comments(spans, dash)

    def _with_comments(self, spans: list[list[int]], dash: int) -> list[range]:
        found: list[range] = []
        for number, (first, last) in enumerate(spans):
            while last > first and not self._lines[last].strip():
                last -= 1
            stop = last + 1
            while stop < len(self._lines) and self._is_comment(stop) and _indentation(self._lines[stop]) > dash:
                stop += 1
            floor = found[-1].stop if found else 0
            start = first
            while start > floor and self._is_comment(start - 1) and _indentation(self._lines[start - 1]) == dash:
                start -= 1
            if number + 1 < len(spans) and spans[number + 1][0] == stop:
                # The next item follows without a gap, so a comment above this one may be about both.
                start = first
            found.append(range(start, stop))
        return found

    def _is_comment(self, line: int) -> bool:
        return self._lines[line].lstrip().startswith("#")


class _Texts(VersionedResolver):
    """Resolves every plain scalar to its text."""

    @property
    def versioned_resolver(self) -> Any:
        return {}


def _yaml() -> Any:
    yaml = YAML()
    yaml.Resolver = _Texts
    yaml.preserve_quotes = True
    yaml.width = _UNLIMITED
    return yaml


def _dump(tree: Any, indent: _Indent) -> list[str]:
    """Return the lines that ruamel.yaml writes for a tree."""
    yaml = _yaml()
    yaml.indent(mapping=indent.nested, sequence=indent.to_dash + indent.after_dash, offset=indent.to_dash)
    text = io.StringIO()
    yaml.dump(tree, text)
    return text.getvalue().removesuffix("\n").split("\n")


def _common(one: Sequence[object], other: Sequence[object]) -> tuple[int, int]:
    """Return the number of lines that two texts have in common at their beginning, and at the end of the rest."""
    most = min(len(one), len(other))
    start = next((at for at in range(most) if one[at] != other[at]), most)
    end = next((at for at in range(most - start) if one[-1 - at] != other[-1 - at]), most - start)
    return start, end


def _patched(own: str, old: str, new: str) -> str | None:
    """Return a line with the change that ruamel.yaml made in its own version of it; None if that is ambiguous."""
    if own.lstrip() == old.lstrip() and _indentation(old) == _indentation(new):
        return own[: _indentation(own)] + new.lstrip()
    before, after = _WORD.split(old), _WORD.split(new)
    differ = [pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]]
    if len(before) != len(after) or len(differ) != 1:
        return None
    words = _WORD.split(own)
    if words.count(differ[0][0]) != 1:
        return None
    words[words.index(differ[0][0])] = differ[0][1]
    return "".join(words)


def _indented(line: str, further: int) -> str:
    return line if _is_no_content(line) else " " * max(_indentation(line) + further, 0) + line.lstrip(" ")


def _is_no_content(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _nested(item: Any) -> int | None:
    """Return the indentation of a mapping in an item; None if it has none in block style."""
    for key, value in item.items() if isinstance(item, CommentedMap) else ():
        if isinstance(value, CommentedMap) and value and not value.fa.flow_style() and not value.anchor.value:
            (_, column), (_, inner) = item.lc.key(key), value.lc.key(next(iter(value)))
            if inner > column:
                return int(inner - column)
    return None
