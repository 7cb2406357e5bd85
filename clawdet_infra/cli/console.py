"""A console for tables and colours that shows foreign text as `clawdet_infra.cli.output` does."""

from __future__ import annotations

from collections.abc import Iterable

from rich import console
from rich.segment import Segment

from clawdet_infra.plaintext import plain


class Console(console.Console):
    """Colours and places text, and shows what the text itself holds as `plain` makes it."""

    def render(
        self, renderable: console.RenderableType, options: console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render an object to segments."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)
