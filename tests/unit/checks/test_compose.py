"""Docker Compose's own opinion, from a stand-in that is really started, and from the real one where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawdet_infra.checks import checks
from clawdet_infra.checks.compose import compose_findings, find_compose
from clawdet_infra.checks.renderings import Rendering, of_plans
from tests.unit.checks.examples import rendering


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH beside the system's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("docker", "alone", "found"),
    [
        ("echo 2.40.3", "exit 1", ("docker", "compose")),
        ("echo unknown command >&2; exit 1", "echo v5.0.1", ("docker-compose",)),
        ("exit 1", "echo 1.29.2", None),
    ],
)
def test_compose_is_found_as_a_plugin_or_by_itself_and_version_1_is_none(
    path: Path, docker: str, alone: str, found: tuple[str, ...] | None
) -> None:
    program(path, "docker", docker)
    program(path, "docker-compose", alone)
    assert find_compose() == found


def test_without_compose_the_check_says_that_it_was_skipped(path: Path) -> None:
    program(path, "docker", "exit 1")
    program(path, "docker-compose", "exit 1")
    [last] = [check for check in checks(None) if check.name == "docker compose"]
    assert last.skipped
    assert last.passed
    assert "not on this machine" in last.detail


def test_what_compose_refuses_is_told_with_template_and_plan_and_without_folders(path: Path, tmp_path: Path) -> None:
    refuse = 'while [ $# -gt 0 ]; do [ "$1" = --project-directory ] && folder=$2; shift; done\n'
    refuse += 'grep -q AUTH_PASSWORD "$folder/.env" || exit 9\n'
    refuse += 'grep -q "^name: \\"one-free\\"" "$folder/compose.yaml" || exit 0\n'
    refuse += 'echo "$folder/compose.yaml: services.gateway is odd" >&2; exit 15'
    program(path, "compose", refuse)
    sound, odd = rendering("pro.compose.yaml.j2"), rendering("free.compose.yaml.j2")
    [finding] = compose_findings([sound, odd, sound], [str(path / "compose")])
    assert str(finding).startswith(
        "templates/free.compose.yaml.j2: plan free: Docker Compose refuses it: compose.yaml:"
    )


@pytest.mark.skipif(find_compose() is None, reason="Docker Compose 2 is not installed on this machine")
def test_the_real_compose_reads_all_plans_and_refuses_a_cycle() -> None:
    command = find_compose()
    assert command is not None
    every = [one for one in of_plans() if isinstance(one, Rendering) and one.compose]
    assert compose_findings(every, command) == []
    text = (every[0].compose or "").replace("image:", "network_mode: service:gateway\n    image:", 1)
    [finding] = compose_findings([Rendering(every[0].template, "broken", {"compose.yaml": text})], command)
    assert finding.concerns == ("broken",)
