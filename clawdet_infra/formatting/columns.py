"""Rows of text in columns: the one printer of tables.

Without a width each row is one line, so that lines can be copied and searched.  Within a width, cells are wrapped
between words; if that is not enough, each row becomes a block of lines, one for each cell.  No word is ever broken, so
only a single word that is longer than the width exceeds it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from clawdet_infra.formatting.plaintext import plain

_GAP = "  "
_LINE_ENDS = re.compile(r"[\n\t]")
_LEAST_FOR_SENTENCES = 24
"""A column with sentences is not made narrower: two words a line are harder to read than a block of lines."""


def columns(
    rows: Sequence[Sequence[str]], width: int | None = None, *, header: bool = True, optional: Sequence[str] = ()
) -> str:
    """Return rows as lines, each column as wide as its widest cell; the last is not padded.

    `width` is how many characters a line may have.  With `header` the first row names the columns; those named in
    `optional` are left out if only that makes the table fit, the last one first.
    """
    cells = [[_LINE_ENDS.sub(" ", plain(cell)) for cell in row] for row in rows]
    if not cells:
        return ""
    natural = [max(map(cell_width, column)) for column in zip(*cells, strict=True)]
    if width is None or _total(natural) <= width:
        return "\n".join(_line(row, natural) for row in cells)
    for count in range(len(optional) + 1):
        left_out = {cells[0].index(name) for name in optional[len(optional) - count :]}
        kept = [[cell for place, cell in enumerate(row) if place not in left_out] for row in cells]
        fitting = _fit(kept, [one for place, one in enumerate(natural) if place not in left_out], width)
        if fitting is not None:
            return "\n".join(line for row in kept for line in _wrapped(row, fitting))
    return _blocks(cells, width) if header else _pairs(cells, natural, width)


def wrapped(text: str, width: int | None) -> str:
    """Return a text with its lines broken between words where they are longer than `width`; their indents stay."""
    if width is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _line_parts(line, width))


def cell_width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    # Imported where it is needed: most tables are plain ASCII.
    from rich.cells import cell_len

    return cell_len(text)


def _line_parts(line: str, width: int) -> list[str]:
    if cell_width(line) <= width:
        return [line]
    words = line.lstrip()
    indent = " " * (len(line) - len(words))
    bullet = "- " if words.startswith("- ") else ""
    following = indent + " " * len(bullet)
    first, *more = _words(words.removeprefix(bullet), width - len(following)) or [""]
    return [indent + bullet + first, *(following + one for one in more)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cell_width(text))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _fit(rows: Sequence[Sequence[str]], natural: Sequence[int], width: int) -> list[int] | None:
    """Return the widths of columns that fit, the widest ones made narrower; None where words would be broken."""
    least = [
        min(widest, max(_longest_word(column), _LEAST_FOR_SENTENCES))
        for column, widest in zip(zip(*rows, strict=True), natural, strict=True)
    ]
    if _total(least) > width:
        return None
    widths = list(natural)
    while _total(widths) > width:
        place = max((at for at, one in enumerate(widths) if one > least[at]), key=widths.__getitem__)
        widths[place] -= 1
    return widths


def _longest_word(cells: Sequence[str]) -> int:
    return max((cell_width(word) for cell in cells for word in cell.split()), default=0)


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return a row as the lines that its tallest cell needs."""
    parts = [_words(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    height = max(map(len, parts))
    return [_line([part[at] if at < len(part) else "" for part in parts], widths) for at in range(height)]


def _blocks(rows: Sequence[Sequence[str]], width: int) -> str:
    """Return each row as lines, the name of the column before each cell; cells without text are left out."""
    head, *rest = rows
    if not rest:
        return "\n".join(_words(" ".join(head), width))
    names = max(map(cell_width, head))
    # A row without its first cell belongs to the one above: its cells follow those of the same column.
    blocks: list[list[Sequence[str]]] = []
    for row in rest:
        if row[0] or not blocks:
            blocks.append([])
        blocks[-1].append(row)
    return "\n\n".join(_block(head, block, names, width) for block in blocks)


def _block(head: Sequence[str], rows: Sequence[Sequence[str]], names: int, width: int) -> str:
    lines: list[str] = []
    for name, *column in zip(head, *rows, strict=True):
        cells = [cell for cell in column if cell]
        lines += [_pair("" if place else name, cell, names, width) for place, cell in enumerate(cells)]
    return "\n".join(lines)


def _pairs(rows: Sequence[Sequence[str]], natural: Sequence[int], width: int) -> str:
    """Return rows without a header: all but the last cell as they are, the last one wrapped beside or below them."""
    lines = []
    for row in rows:
        first = _line(row[:-1], natural[:-1])
        lines.append(_pair(first, row[-1], _total(natural[:-1]), width))
    return "\n".join(lines)


def _pair(name: str, cell: str, names: int, width: int) -> str:
    indent = names + len(_GAP)
    if cell_width(cell) > width - indent and indent > width // 2:
        # Beside such a long name there is no room.
        return "\n".join([name, *(f"{_GAP}{line}" for line in _words(cell, width - len(_GAP)))])
    first, *more = _words(cell, width - indent) or [""]
    lines = [f"{_pad(name, names)}{_GAP}{first}".rstrip(), *(" " * indent + line for line in more)]
    return "\n".join(lines)


def _words(text: str, width: int) -> list[str]:
    """Return a text in lines that are broken between words alone."""
    if text.isascii():
        return textwrap.wrap(text, max(1, width), break_long_words=False, break_on_hyphens=False)
    lines: list[str] = []
    for word in text.split():
        if lines and cell_width(lines[-1]) + 1 + cell_width(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
