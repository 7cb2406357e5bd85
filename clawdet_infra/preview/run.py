"""Previews several stacks side by side and makes one report of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from clawdet_infra.preview.costs import Prices, PricesUnknownError
from clawdet_infra.preview.engine_plan import Previewed, ask
from clawdet_infra.preview.fingerprint import Fingerprints, is_unchanged
from clawdet_infra.preview.report import Report, StackReport
from clawdet_infra.secret_shapes import redacted

AT_ONCE = 2
"""How many stacks are previewed at a time; each takes an engine, its plugins and a Python process."""


class Source(Protocol):
    """A stack that can be previewed, wherever it comes from.

    To make one costs nothing; each method does its work when it is called.
    """

    @property
    def name(self) -> str:
        """The stack's name."""
        ...

    def problems(self) -> Sequence[str]:
        """Return what is wrong with the configuration, as far as that can be seen without the engine."""
        ...

    def open(self) -> Previewed:
        """Return the stack for the engine.  Raises SourceError where that cannot be."""
        ...

    def prices(self) -> Prices:
        """Ask what things cost in the stack's cloud.  Raises PricesUnknownError."""
        ...

    def fingerprint(self, *, policies: bool) -> str | None:
        """Return a digest of all that decides what the stack is to be; None where not all of it can be known."""
        ...

    def version(self) -> str | None:
        """Return what changes whenever the stack's state does; None where that is not known."""
        ...

    def notes(self) -> Sequence[str]:
        """Return what a reader of the report has to know, in sentences."""
        ...


class SourceError(Exception):
    """A stack cannot be previewed; the text says why, in a sentence."""


@dataclass(frozen=True, kw_only=True)
class PreviewOptions:
    """How to preview.

    `named` has what may be lost.  `full` asks the engine also where nothing can have changed.  `refresh` looks at the
    cloud first, which only the engine can.
    """

    policy_pack: str | None = None
    named: Collection[str] = ()
    full: bool = False
    refresh: bool = False
    at_once: int = AT_ONCE


def preview(
    sources: Iterable[Source],
    wish: PreviewOptions,
    *,
    marks: Fingerprints | None = None,
    told: Callable[[str], object] | None = None,
) -> Report:
    """Preview stacks and return what would happen; `told` hears the name of each that is done."""
    told = told or (lambda name: None)
    found: dict[str, StackReport] = {}
    waiting: list[Source] = []
    sources = list(sources)
    for source in sources:
        if marks is not None and not (wish.full or wish.refresh) and is_unchanged(source, marks, wish.policy_pack):
            found[source.name] = StackReport(stack=source.name, state="unchanged", asked=False)
        else:
            waiting.append(source)
    lists = _PriceLists()
    with ThreadPoolExecutor(max(1, wish.at_once)) as pool:
        for report in pool.map(lambda source: _one(source, wish, lists), waiting):
            found[report.stack] = report
            told(report.stack)
    return Report(stacks=tuple(found[source.name] for source in sources))


def _one(source: Source, wish: PreviewOptions, lists: _PriceLists) -> StackReport:
    begun = time.perf_counter()
    problems = tuple(redacted(one) for one in source.problems())
    if problems:
        seconds = time.perf_counter() - begun
        return StackReport(stack=source.name, state="misconfigured", asked=False, problems=problems, seconds=seconds)
    # Imported where it is needed: who is told that nothing changes should not wait for it.
    from clawdet_infra.preview.analyze import stack_report

    prices = lists.begin(source)
    try:
        planned = ask(source.open(), policy_pack=wish.policy_pack, refresh=wish.refresh)
    except SourceError as error:
        return StackReport(stack=source.name, state="failed", errors=(redacted(str(error)),))
    return stack_report(source.name, planned, prices=prices(), named=wish.named, notes=source.notes())


class _PriceLists:
    """Asks for prices while the engine is at work."""

    def begin(self, source: Source) -> Callable[[], Prices | str]:
        answer: list[Prices | str] = []

        def ask_for_them() -> None:
            try:
                answer.append(source.prices())
            except PricesUnknownError as error:
                answer.append(str(error))

        thread = threading.Thread(target=ask_for_them, name=f"prices of {source.name}", daemon=True)
        thread.start()

        def wait() -> Prices | str:
            thread.join()
            return answer[0] if answer else "the provider could not be asked for its prices"

        return wait
