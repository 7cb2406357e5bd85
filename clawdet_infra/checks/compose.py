"""Checks deployments with Docker Compose itself, if it is installed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clawdet_infra.checks.finding import Finding
from clawdet_infra.checks.renderings import COMPOSE_FILE, Rendering
from clawdet_infra.render import env_file

_SECONDS = 30
# Compose requires these variables; the values are not real secrets.
_VARIABLES = ("ANTHROPIC_API_KEY", "OPENCLAW_GATEWAY_TOKEN", "AUTH_PASSWORD", "TELEGRAM_BOT_TOKEN")


def find_compose() -> Sequence[str] | None:
    """Return the command of Docker Compose 2 on this machine, as a plugin or standalone; None if it is missing."""
    for command in (("docker", "compose"), ("docker-compose",)):
        try:
            answer = subprocess.run(
                [*command, "version", "--short"], capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if answer.returncode == 0 and not answer.stdout.strip().removeprefix("v").startswith(("0.", "1.")):
            return command
    return None


def compose_findings(renderings: Sequence[Rendering], command: Sequence[str]) -> list[Finding]:
    """Return what Compose rejects in the renderings; reads several at once."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        told = pool.map(lambda one: _refused(one, command), renderings)
    return [finding for finding in told if finding is not None]


def _refused(rendering: Rendering, command: Sequence[str]) -> Finding | None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / COMPOSE_FILE).write_text(rendering.compose or "", encoding="utf-8")
        (folder / ".env").write_text(env_file(dict.fromkeys(_VARIABLES, "sample")), encoding="utf-8")
        try:
            answer = subprocess.run(
                [*command, "--project-directory", name, "--file", str(folder / COMPOSE_FILE), "config", "--quiet"],
                # Variables of this shell must not replace ones missing in the .env file.
                env={key: value for key, value in os.environ.items() if key not in _VARIABLES},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            said, code = f"it did not answer within {_SECONDS} s", 1
        else:
            said, code = answer.stderr.replace(f"{name}/", "").strip(), answer.returncode
    if code == 0:
        return None
    return Finding(
        rule="compose",
        message=f"Docker Compose refuses it: {' '.join(said.split())[-400:]}.",
        hint="Fix the part of the template that it names.",
        file=f"templates/{rendering.template}",
        concerns=(rendering.concerns,),
    )
