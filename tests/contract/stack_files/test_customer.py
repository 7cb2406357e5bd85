"""`clawdet customer` with the engine: keys are encrypted with the stack's own provider, and are in no argument."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clawdet_infra.cli import customer
from clawdet_infra.cli import stack as stacks
from clawdet_infra.cli.main import app
from tests.support.stack import CANARY_API_KEY, ROOT, Stack

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("stack_files")]

OTHER_KEY = "sk-ant-canary-9876543210-zyxwvutsrqponmlk"
CUSTOMERS = """
  # Customers; the first came in May.
  clawdet:customers:
    - {id: ada, plan: pro, anthropicApiKey: {secure: SECURE}}   # best

  # The end.
  other:note:   'kept'"""


@dataclass
class World:
    """A stack with a file that somebody wrote, and a `pulumi` that notes its arguments."""

    stack: Stack
    log: Path
    text: str

    @property
    def file(self) -> Path:
        return self.stack.file

    def run(self, *arguments: str, key: str = CANARY_API_KEY) -> tuple[int, dict[str, Any], str]:
        done = CliRunner().invoke(app, ["customer", *arguments, "--json"], input=f"{key}\n", env=self.stack.env)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        assert key not in done.output
        return done.exit_code, json.loads(done.stdout), done.stderr

    def key_of(self, position: int) -> str:
        asked = ("config", "get", "--path", f"clawdet:customers[{position}].anthropicApiKey", "--stack", "test")
        return self.stack.pulumi(*asked).ok().output.strip()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A stack whose file has one customer, with the key encrypted by the engine."""
    home = tmp_path_factory.mktemp("stack_files")
    stack = Stack(home / "stack").init()
    stack.pulumi("config", "set", "--secret", "clawdet:key", CANARY_API_KEY, "--stack", "test").ok()
    salt, _, rest = stack.file.read_text().partition("config:\n")
    secure = rest.partition("secure: ")[2].strip()
    settings = (ROOT / "Pulumi.local.yaml").read_text().partition("config:\n")[2].partition("  clawdet:customers:")[0]
    text = f"# Ours.\n{salt}config:\n{settings.rstrip()}\n{CUSTOMERS.replace('SECURE', secure)}"
    stack.file.write_text(text)
    (home / "bin").mkdir()
    pulumi = home / "bin" / "pulumi"
    pulumi.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {home}/log\nexec {shutil.which("pulumi")} "$@"\n')
    pulumi.chmod(0o755)
    return World(stack, home / "log", text)


@pytest.fixture
def world(made: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same, as it was at first."""
    for module in (customer, stacks):
        monkeypatch.setattr(module, "ROOT", made.stack.folder)
    monkeypatch.setenv("PATH", f"{made.log.parent}/bin:{made.stack.env['PATH']}")
    made.log.write_text("")
    made.file.write_text(made.text)
    yield made
    made.file.write_text(made.text)


def test_a_customer_is_added_with_its_key_encrypted_and_every_other_line_stays(world: World) -> None:
    code, found, told = world.run("add", "eve", "--plan", "free", "--subdomain", "eve.x", "-s", "test")
    assert (code, found["written"]) == (0, True), told
    start = world.text.index("\n\n  # The end.")
    text = world.file.read_text()
    head, added = text[:start], text[start : len(text) - len(world.text) + start].splitlines()
    assert head + text[len(text) - len(world.text) + start :] == world.text
    assert added[1:5] == ["    - id: eve", "      plan: free", "      subdomain: eve.x", "      anthropicApiKey:"]
    assert added[5].startswith("        secure: v1:")
    assert world.key_of(1) == CANARY_API_KEY
    assert world.key_of(0) == CANARY_API_KEY
    arguments = world.log.read_text()
    assert "config set" in arguments
    assert CANARY_API_KEY not in arguments
    assert not [line for line in found["diff"] if "v1:" in line]
    before = world.file.read_bytes()
    code, found, told = world.run("add", "eve", "--plan", "free", "--subdomain", "eve.x", "-s", "test")
    assert (code, found["changed"], told) == (0, False, "")
    code, found, _ = world.run("add", "eve", "--plan", "free", "--subdomain", "eve.x", "-s", "test", key=OTHER_KEY)
    assert (code, found["code"]) == (2, "customer-exists")
    assert world.file.read_bytes() == before


def test_another_key_changes_the_value_alone_and_the_same_key_nothing(world: World) -> None:
    code, found, told = world.run("set-key", "ada", key=CANARY_API_KEY)
    assert (code, found["changed"], told) == (0, False, "")
    assert world.file.read_text() == world.text
    code, found, told = world.run("set-key", "ada", "--dry-run", key=OTHER_KEY)
    assert (code, found["changed"], found["written"]) == (0, True, False), told
    assert world.file.read_text() == world.text
    code, found, told = world.run("set-key", "ada", key=OTHER_KEY)
    assert (code, found["written"]) == (0, True), told
    old, new = world.text.split("\n"), world.file.read_text().split("\n")
    [changed] = [at for at, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]
    assert new[changed].startswith("    - {id: ada, plan: pro, anthropicApiKey: {secure: v1:")
    assert new[changed].endswith("}}   # best")
    assert world.key_of(0) == OTHER_KEY
    assert OTHER_KEY not in world.log.read_text()


@pytest.mark.parametrize(
    ("environment", "text", "words"),
    [
        ({"PULUMI_CONFIG_PASSPHRASE": "another one"}, None, "is not its passphrase"),
        ({"PULUMI_BACKEND_URL": "file://{folder}"}, None, "pulumi stack init test"),
        ({}, "encryptionsalt", "pulumi config set --secret hcloud:token"),
    ],
)
def test_nothing_is_written_if_the_engine_cannot_encrypt(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    text: str | None,
    words: str,
) -> None:
    own = {key: value.format(folder=tmp_path) for key, value in environment.items()}
    monkeypatch.setattr(world.stack, "extra_env", own)
    if text:
        world.file.write_text("".join(line for line in world.text.splitlines(True) if not line.startswith(text)))
    before = world.file.read_bytes()
    code, found, _ = world.run("add", "eve", "--plan", "pro", "-s", "test")
    assert (code, found["code"]) == (1, "encryption")
    assert words in found["error"]
    assert world.file.read_bytes() == before
    assert [one.name for one in world.stack.folder.iterdir() if one.name.startswith(".Pulumi")] == []
