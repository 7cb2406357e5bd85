"""`clawdet preview`: what a change would do, in words."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, print_json, warn, warn_renamed
from clawdet_infra.cli.project import ROOT
from clawdet_infra.cli.stack import ALL_STACKS_HINT, AllStacks, EachStack, choose_stacks
from clawdet_infra.cli.up import ALLOWED_VARIABLE, POLICY_PACK, allowed, exit_code

if TYPE_CHECKING:
    from clawdet_infra.automation.cells import CatalogSnapshot
    from clawdet_infra.preview.report import Report
    from clawdet_infra.preview.run import Source


def preview(
    stacks: EachStack = None,
    every_stack: AllStacks = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a comment for a pull request.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Ask the engine also where nothing can have changed.")] = False,
    empty_state: Annotated[
        bool, typer.Option("--empty-state", help="Against a state with nothing in it, without any secret.")
    ] = False,
    allow_loss: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-loss", help=f"What may lose data, by id; may be repeated. Or {ALLOWED_VARIABLE}, with commas."
        ),
    ] = None,
    no_policy: Annotated[
        bool, typer.Option("--no-policy", help="Do not hold the change against the policies.")
    ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Look at the cloud first, and tell what drifted.")] = False,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="End with 7 where anything would change.")
    ] = False,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="How many stacks to preview at a time.")] = 2,
    at_once: Annotated[int | None, typer.Option("--at-once", min=1, hidden=True)] = None,
) -> None:
    """Tell per customer what an update would do, what it would cost, and what stands against it.

    Nothing is changed.  Ends with 5 where a policy refuses, or data would be lost that nobody has named.

    Example: clawdet preview -s prod --markdown
    """
    if at_once is not None:
        warn_renamed("`--at-once`", "`--concurrency`")
        concurrency = at_once
    if markdown and json_output:
        fail("--markdown and --json are two reports; ask for one of them", Exit.CONFIGURATION, ErrorCode.USAGE)
    if empty_state and (refresh or full):
        fail(
            "an empty state has nothing to refresh, and the engine is always asked", Exit.CONFIGURATION, ErrorCode.USAGE
        )
    chosen = choose_stacks(stacks, every=every_stack, hint=ALL_STACKS_HINT)
    # Imported where it is needed: the report's parts take time that no other command should wait for.
    from clawdet_infra.automation.cells import CatalogSnapshot

    # A pull request that must not see any secret sees nothing of those who signed up.
    known = None if empty_state else CatalogSnapshot(ROOT)
    if known is not None and known.error:
        warn(f"cells are left out, and the engine is asked about all stacks, since {known.error}")
    sources = _sources(chosen, known)
    from clawdet_infra.preview.run import PreviewOptions
    from clawdet_infra.preview.run import preview as do_preview

    wish = PreviewOptions(
        policy_pack=None if no_policy else str(POLICY_PACK),
        named=allowed(allow_loss or []),
        full=full,
        refresh=refresh,
        at_once=concurrency,
    )
    report = do_preview(sources, wish, marks=known)
    _show(report, markdown=markdown, json_output=json_output)
    raise typer.Exit(_code(report, expect_no_changes))


def _sources(names: Sequence[str] | None, known: CatalogSnapshot | None) -> list[Source]:
    """Return the named stacks, or all stacks and cells (None)."""
    from clawdet_infra.inventory.selection import configured_stacks

    there = configured_stacks(ROOT)
    cells = known.cells(there) if known else {}
    if names is None and not there:
        fail(f"there is no stack: {ROOT} has no file Pulumi.STACK.yaml", Exit.CONFIGURATION, ErrorCode.NO_STACK)
    unknown = [name for name in names or () if name not in there and name not in cells]
    if unknown:
        fail(f"the catalog has no cell {unknown[0]}; see: clawdet list", Exit.CONFIGURATION, ErrorCode.UNKNOWN_STACK)
    chosen = [*there, *cells] if names is None else names
    if known is None:
        from clawdet_infra.preview.offline import OfflineSource

        return [OfflineSource(name, ROOT) for name in chosen]
    from clawdet_infra.automation.cells import CellSource
    from clawdet_infra.preview.fingerprint import program_digest
    from clawdet_infra.preview.sources import CheckoutSource

    # The program does not change while it is being previewed, and reading it takes longer than a stack's file.
    digest = functools.cache(program_digest)
    # So does a base, which all of its cells are made from.
    bases = {name: CheckoutSource(name, ROOT, digest=digest) for name in there}
    return [CellSource(name, bases[cells[name]], known) if name in cells else bases[name] for name in chosen]


def _show(report: Report, *, markdown: bool, json_output: bool) -> None:
    if json_output:
        from clawdet_infra.preview.as_json import as_json

        print_json(as_json(report))
    elif markdown:
        from clawdet_infra.preview.markdown import as_markdown

        echo(as_markdown(report), nl=False, verbatim=True)
    else:
        from clawdet_infra.cli.console import Console
        from clawdet_infra.preview.text import as_text

        Console(soft_wrap=False).print(as_text(report))


def _code(report: Report, expect_no_changes: bool) -> Exit:
    code = exit_code(report)
    return Exit.CHANGES if code is Exit.OK and expect_no_changes and report.changes else code
