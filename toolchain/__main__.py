"""The command line of this package: `python3 -m toolchain ensure | status | env`."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys

from toolchain import resolve
from toolchain.errors import EngineError


def main(argv: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, or 1 if the engine is missing."""
    parser = argparse.ArgumentParser(prog="python3 -m toolchain", description="Find the Pulumi engine, or build it.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("ensure", help="find, download or build the engine")
    status = commands.add_parser("status", help="list the parts of the engine, and where they come from")
    status.add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("env", help="print the shell commands that make `pulumi` work")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "ensure":
            resolve.ensure(lambda line: print(f"engine: {line}", file=sys.stderr, flush=True))
            return 0
        engine = resolve.find()
    except EngineError as error:
        print(f"engine: {error}", file=sys.stderr)
        return 1
    if arguments.command == "status":
        print(_as_json(engine) if arguments.json else _as_table(engine))
    else:
        print(_as_shell(engine))
    if not engine.is_complete:
        print("engine: incomplete; run `python3 -m toolchain ensure`", file=sys.stderr)
    return 0 if engine.is_complete else 1


def _as_table(engine: resolve.Engine) -> str:
    rows = [(item.name, item.version, item.source.value, str(item.path or item.advice)) for item in engine.findings]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(row[:3], widths, strict=True)), row[3]]) for row in rows
    )


def _as_json(engine: resolve.Engine) -> str:
    return json.dumps(
        {
            "complete": engine.is_complete,
            "parts": [
                {
                    "name": item.name,
                    "version": item.version,
                    "source": item.source.value,
                    "path": str(item.path) if item.path else None,
                    "advice": item.advice,
                }
                for item in engine.findings
            ],
            "path": [str(folder) for folder in engine.path()],
            "environment": engine.variables(),
        },
        indent=2,
    )


def _as_shell(engine: resolve.Engine) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in engine.variables().items()]
    if folders := engine.path():
        lines.append(f'export PATH={":".join(shlex.quote(str(folder)) for folder in folders)}:"$PATH"')
    return "\n".join(lines)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # A reader such as `head` may stop early.
    sys.exit(main())
