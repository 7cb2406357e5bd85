"""A terminal that a command runs at, and what a person sees on it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CONTROL = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|(\r\n|\r|\n)")


@dataclass(frozen=True)
class Seen:
    """How a command ended, what it wrote, and what is left of that on the screen and above it."""

    code: int
    written: str
    screen: str


def at_a_terminal(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    answers: Mapping[str, str] | None = None,
    columns: int = 80,
    rows: int = 30,
    timeout: float = 300,
) -> Seen:
    """Run a command at a terminal of its own; as soon as it asks one of `answers`, the answer is typed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env={**env, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    written, open_questions, end = b"", dict(answers or {}), time.monotonic() + timeout
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    chunk = os.read(ours, 65536)
                except OSError:  # The other side is gone.
                    break
                if not chunk:
                    break
                written += chunk
                for question in [one for one in open_questions if one.encode() in written]:
                    # As a person does, after the whole of the question is there.
                    time.sleep(0.3)
                    os.write(ours, f"{open_questions.pop(question)}\n".encode())
            elif process.poll() is not None:
                break
        code = process.wait(timeout=max(1, end - time.monotonic()))
    finally:
        os.close(ours)
        process.kill()
        process.wait()
    text = written.decode(errors="replace")
    return Seen(code, text, screen_of(text))


def screen_of(written: str) -> str:
    """Return what a terminal shows of a text that moves the cursor up and erases lines, as a table in place does."""
    lines: list[str] = [""]
    row = column = 0
    place = 0
    for match in [*_CONTROL.finditer(written), None]:
        plain = written[place : match.start() if match else len(written)]
        if plain:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + plain + line[column + len(plain) :]
            column += len(plain)
        if match is None:
            break
        place = match.end()
        number, letter, ending = match.groups()
        if ending:
            column = 0
            if ending != "\r":
                row += 1
                lines += [""] * (row + 1 - len(lines))
        elif letter == "A":
            row = max(0, row - int(number or 1))
        elif letter == "K":
            lines[row] = "" if number == "2" else lines[row][:column]
    return "\n".join(line.rstrip() for line in lines).strip("\n")
