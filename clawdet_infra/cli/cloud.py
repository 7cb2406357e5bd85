"""`clawdet cloud`: the local cloud, which is a program of its own that knows nothing of this one."""

from __future__ import annotations

import sys

import typer

from clawdet_infra.cli import project

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def cloud(context: typer.Context) -> None:
    """Run a Hetzner Cloud on this machine: up, down, destroy, status, info.

    Example: clawdet cloud up; clawdet cloud info --json
    """
    raise typer.Exit(project.run([sys.executable, "-m", "localcloud", *context.args]))
