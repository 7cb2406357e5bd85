"""A console for tables and colours that shows foreign text as `clawdet_infra.cli.output` does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich import console
from rich.segment import Segment

from clawdet_infra.formatting.plaintext import plain

_UNLIMITED = 100_000


class Console(console.Console):
    """Colours and places text, and shows what the text itself holds as `plain` makes it.

    Where it is no terminal, nothing limits the width, so that no line is broken.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if "width" not in options and not self.is_terminal:
            self.width = _UNLIMITED

    def render(
        self, renderable: console.RenderableType, options: console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render an object to segments."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)
