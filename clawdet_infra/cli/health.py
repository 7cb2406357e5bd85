"""`clawdet health`: look at every instance from outside, and say what is wrong with those that are down."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli.instances import complete_id
from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, print_json, print_json_line
from clawdet_infra.cli.seconds import METAVAR, seconds
from clawdet_infra.cli.stack import ALL_STACKS_HINT, AllStacks, Stacks, choose_stacks

if TYPE_CHECKING:
    from collections.abc import Callable

    from clawdet_infra.cli.health_round import Checker
    from clawdet_infra.monitoring.checks import CheckCycle

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Customers' ids; all where none is named.", autocompletion=complete_id),
]


def health(
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All instances, which is the default.")] = False,
    stacks: Stacks = None,
    every_stack: AllStacks = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C.")] = False,
    interval: Annotated[
        float,
        typer.Option("--interval", parser=seconds(), metavar=METAVAR, help="With --watch: from one round to the next."),
    ] = 10,
    host: Annotated[
        bool, typer.Option("--host", help="Ask all servers too: containers, memory, disk, strays.")
    ] = False,
    deadline: Annotated[
        float,
        typer.Option(
            "--deadline", parser=seconds(most=600), metavar=METAVAR, help="A round takes no longer, at most 10m."
        ),
    ] = 55,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON; with --watch a line a round.")] = False,
) -> None:
    """Look at instances from outside: DNS, TLS, password, readiness, the gateway's API.

    Ends with 4 where something is down, with 1 where a look could not be made in time; slow counts as working.  The
    servers of what is down are asked why.

    Example: clawdet health --watch
    """
    if ids and every:
        fail("name instances, or say --all", Exit.CONFIGURATION, ErrorCode.USAGE)
    # Imported where it is needed: HTTP, SSH and the engine take most of a second, which other commands need not wait.
    from clawdet_infra.cli.health_round import Checker
    from clawdet_infra.inventory import InventoryError

    chosen = choose_stacks(stacks, every=every_stack, hint=ALL_STACKS_HINT)
    checker = Checker(chosen, ids or [], ask_hosts=host, deadline=deadline)
    try:
        checker.choose()
        done = _watch(checker, interval, host, json_output) if watch else _once(checker, host, json_output)
    except KeyError as error:
        fail(str(error.args[0]), Exit.CONFIGURATION, ErrorCode.UNKNOWN_CUSTOMER)
    except InventoryError as error:
        fail(str(error), code=ErrorCode.INVENTORY)
    except OSError as error:
        fail(str(error))
    raise typer.Exit(exit_code(done))


def exit_code(done: CheckCycle) -> Exit:
    """Say what a round ends with: worst is what is down, then what nobody knows."""
    if any(one.condition == "down" for one in done.observations):
        return Exit.RESOURCE
    return Exit.ERROR if done.unseen else Exit.OK


def _once(checker: Checker, host: bool, json_output: bool) -> CheckCycle:
    from clawdet_infra.cli.console import Console
    from clawdet_infra.cli.health_table import as_table, as_text, facts

    done = checker.look()
    if json_output:
        print_json(facts(done, checker.instances, checker.strays))
        return done
    console = Console()
    if console.is_terminal:
        console.print(as_table(done, checker.instances, host=host, strays=checker.strays, width=console.width))
    else:
        echo(as_text(done, checker.instances, host=host, strays=checker.strays))
    return done


def _watch(checker: Checker, interval: float, host: bool, json_output: bool) -> CheckCycle:
    from rich.live import Live

    from clawdet_infra.cli.console import Console
    from clawdet_infra.cli.health_table import as_table, as_text, facts

    console = Console()
    if json_output:
        return _again(
            checker,
            interval,
            lambda done: print_json_line(facts(done, checker.instances, checker.strays)),
        )
    if not console.is_terminal:
        return _again(
            checker,
            interval,
            lambda done: echo(as_text(done, checker.instances, host=host, strays=checker.strays)),
        )
    with Live(console=console, auto_refresh=False) as live:
        return _again(
            checker,
            interval,
            lambda done: live.update(
                as_table(done, checker.instances, host=host, strays=checker.strays, width=console.width), refresh=True
            ),
        )


def _again(checker: Checker, interval: float, show: Callable[[CheckCycle], None]) -> CheckCycle:
    """Do rounds until somebody interrupts, and return the last one."""
    done: CheckCycle | None = None
    while True:
        begun = time.monotonic()
        try:
            done = checker.look()
            show(done)
            time.sleep(max(0.0, interval - (time.monotonic() - begun)))
        except KeyboardInterrupt:
            if done is None:
                raise
            return done
