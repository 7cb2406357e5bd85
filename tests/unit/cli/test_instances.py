"""Commands on instances that need neither engine nor server: completion, the kept list, rotation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clawdet_infra.cli import instances, token
from clawdet_infra.cli.main import app
from clawdet_infra.inventory import build
from clawdet_infra.inventory import listing as listing_module
from clawdet_infra.inventory.listing import write_listing
from tests.unit.inventory.conftest import CANARIES, a_stack

runner = CliRunner()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder whose last inventory had three customers, and no engine to ask."""
    read = listing_module.read_listing
    monkeypatch.setattr(listing_module, "read_listing", lambda: read(tmp_path))
    monkeypatch.setattr("clawdet_infra.inventory.read_listing", lambda: read(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    stacks = [a_stack("prod", "ada", "adam"), a_stack("prod-cell-1", "eve")]
    write_listing(build(stacks), complete=True, root=tmp_path)
    return tmp_path


@pytest.mark.usefixtures("kept")
def test_ids_are_completed_from_the_disk() -> None:
    assert instances.complete_id("ad") == ["ada", "adam"]
    assert instances.complete_id("zz") == []
    assert instances.complete_service("ga") == ["gateway"]


@pytest.mark.usefixtures("kept")
def test_the_kept_list_is_shown_without_an_engine_and_says_how_old_it_is() -> None:
    result = runner.invoke(app, ["list", "--cached"])
    assert result.exit_code == 0, result.output
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["CUSTOMER", "PLAN", "STACK", "SERVER", "ADDRESS", "URL", "IMAGE"]
    assert lines[0].split() == [
        *("ada", "pro", "prod", "ada", "10.0.0.1", "https://ada.clawdet.test", "2026.9.6@0123456789ab"),
    ]
    assert "as of" in result.stderr
    assert not [one for one in CANARIES if one in result.output]
    chosen = json.loads(runner.invoke(app, ["list", "--cached", "-s", "prod-cell-1", "--json"]).stdout)
    assert [one["customer"] for one in chosen] == ["eve"]


@pytest.mark.usefixtures("kept")
def test_ps_prints_what_it_did_and_names_its_successor() -> None:
    result = runner.invoke(app, ["ps", "--cached"])
    header, first, *_ = result.stdout.splitlines()
    assert header.split() == ["CUSTOMER", "PLAN", "SERVER", "ADDRESS", "URL", "IMAGE", "STACK"]
    assert first.split()[2:] == ["ada", "10.0.0.1", "https://ada.clawdet.test", "2026.9.6@0123456789ab", "prod"]
    assert result.stderr.startswith("warning: `clawdet ps` is now `clawdet list`")
    one, *_ = json.loads(runner.invoke(app, ["ps", "--cached", "--json"]).stdout)
    assert list(one) == ["customer", "stack", "plan", "server", "ipv4", "url", "user", "image"]


@pytest.mark.usefixtures("kept")
def test_the_kept_list_and_one_made_anew_are_two_wishes() -> None:
    assert runner.invoke(app, ["list", "--cached", "--rebuild"]).exit_code == 2


@pytest.mark.usefixtures("kept")
def test_an_address_is_known_without_an_engine() -> None:
    assert runner.invoke(app, ["open", "ada"]).stdout == "https://ada.clawdet.test\n"
    shown = json.loads(runner.invoke(app, ["open", "ada", "--json"]).stdout)
    assert shown == {"customer": "ada", "url": "https://ada.clawdet.test", "user": "ada"}


def test_without_a_kept_list_the_command_says_what_makes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clawdet_infra.inventory.read_listing", lambda: None)
    result = runner.invoke(app, ["list", "--cached"])
    assert result.exit_code == 1
    assert "run `clawdet list`" in result.stderr


@pytest.mark.parametrize(
    ("image", "short"),
    [
        ("ghcr.io/openclaw/openclaw:2026.9.6@sha256:0123456789abcdef", "2026.9.6@0123456789ab"),
        ("10.0.0.1:5000/openclaw/openclaw:1", "1"),
        ("10.0.0.1:5000/openclaw", "latest"),
    ],
)
def test_an_image_is_shown_by_its_tag_and_the_beginning_of_its_digest(image: str, short: str) -> None:
    assert instances.short_image(image) == short


def test_a_rotation_is_written_and_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token, "ROOT", tmp_path)
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n  clawdet:customers:\n    - id: ada\n      plan: pro\n")
    result = runner.invoke(app, ["token", "rotate", "ada"])
    assert result.exit_code == 0, result.output
    assert "tokenVersion: 2" in file.read_text()
    assert "clawdet up -s prod" in result.stderr
    wrong = runner.invoke(app, ["token", "rotate", "adda"])
    assert wrong.exit_code == 2
    assert "Did you mean `ada`" in wrong.stderr


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, clawdet_infra.cli.main; "
        "print([m for m in ('pulumi', 'asyncssh', 'hcloud', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command",
    ["list", "show", "logs", "exec", "restart", "ssh", "open", "token show", "token rotate"],
)
def test_every_command_on_instances_has_an_example_and_speaks_json(command: str) -> None:
    result = runner.invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})
    assert f"Example: clawdet {command}" in result.output
    assert "--json" in result.output
