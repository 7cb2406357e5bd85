"""A program called `docker` that notes how it was called and answers what the test has written down."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

SCRIPT = """#!/usr/bin/env python3
import json, os, sys, time
folder = {folder!r}
arguments = sys.argv[1:]
with open(folder + "/calls", "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if os.path.exists(folder + "/stopped"):
    sys.exit("Cannot connect to the Docker daemon")
if arguments[0] == "ps":
    print("\\n".join(one["Id"] for one in json.load(open(folder + "/containers.json"))))
elif arguments[0] == "inspect":
    print(open(folder + "/containers.json").read())
elif arguments[0] == "logs":
    print(open(folder + "/log").read(), end="")
    print("a word of warning", file=sys.stderr)
elif arguments[0] == "exec":
    rest = [one for one in arguments[1:] if not one.startswith("--")]
    if "--tty" in arguments and not os.isatty(0):
        sys.exit("the input device is not a TTY")
    os.execvp(rest[1], rest[1:])
elif os.path.exists(folder + "/refuses"):
    sys.exit(open(folder + "/refuses").read())
"""

SYSTEMCTL = """#!/bin/sh
echo "[\\"systemctl\\", \\"$1\\"]" >> {folder}/calls
[ "$1" = start ] && rm {folder}/stopped
[ "$1" = is-active ] && if [ -e {folder}/stopped ]; then echo inactive; exit 3; else echo active; fi
exit 0
"""


class FakeDocker:
    """What a server's Docker says in these tests."""

    def __init__(self, folder: Path, containers: list[dict[str, Any]]) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        (self.bin / "docker").write_text(SCRIPT.format(folder=str(folder)))
        (self.bin / "docker").chmod(0o755)
        (self.bin / "systemctl").write_text(SYSTEMCTL.format(folder=folder))
        (self.bin / "systemctl").chmod(0o755)
        (folder / "containers.json").write_text(json.dumps(containers))
        (folder / "log").write_text("")

    @property
    def path(self) -> str:
        return f"{self.bin}{os.pathsep}{os.environ['PATH']}"

    def refuse(self, why: str) -> None:
        (self.folder / "refuses").write_text(why)

    def stop(self) -> None:
        """Be switched off, until somebody starts it."""
        (self.folder / "stopped").touch()

    def log(self, text: str) -> None:
        (self.folder / "log").write_text(text)

    def calls(self) -> list[list[str]]:
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
