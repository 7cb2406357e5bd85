"""`clawdet metrics`: the fleet in numbers, from the history, once."""

from __future__ import annotations

from typing import Annotated

import typer

from clawdet_infra.cli.history import history_url
from clawdet_infra.cli.output import ErrorCode, echo, fail, print_json
from clawdet_infra.cli.project import ROOT


def metrics(
    json_output: Annotated[bool, typer.Option("--json", help="Print the samples as JSON.")] = False,
) -> None:
    """Print what the history knows in Prometheus' text form; the daemon's --metrics serves more, and newer.

    Example: clawdet metrics > /var/lib/node_exporter/clawdet.prom
    """
    # Imported where it is needed: the database's packages take half a second.
    from clawdet_infra.inventory import read_listing
    from clawdet_infra.monitoring.history import History, HistoryError
    from clawdet_infra.monitoring.metrics import from_history, samples, text

    try:
        with History.open(history_url()) as history:
            states, alerts, size = history.states(), history.open_alerts(), history.size()
    except HistoryError as error:
        fail(str(error), code=ErrorCode.HISTORY)
    listing = read_listing(ROOT)
    places = {one.id: (one.stack, one.plan) for one in listing.entries} if listing else None
    readings = from_history(states.values(), len(alerts), size, places)
    if json_output:
        print_json(samples(readings))
    else:
        echo(text(readings), nl=False, verbatim=True)
