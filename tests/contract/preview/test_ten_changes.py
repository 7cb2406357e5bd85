"""Ten real changes to a list, each with the report that a reviewer gets, as Markdown and as JSON.

The files of `golden/` are what is expected; CLAWDET_GOLDEN=write writes them anew, for somebody to read the diff.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.preview.as_json import as_json
from clawdet_infra.preview.engine_plan import Planned, ask
from clawdet_infra.preview.markdown import as_markdown
from clawdet_infra.preview.stacks import CheckoutStack
from tests.contract.preview.conftest import ACME, ALICE, BASELINE, DIGEST, GROUP, USER123, Fleet
from tests.support.stack import CANARY_API_KEY, ROOT, customer

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300), GROUP]

GOLDEN = Path(__file__).parent / "golden"
OTHER_KEY = "sk-ant-canary-9876543210-zyxwvutsrqponmlk"
NEW_RELEASE = f"ghcr.io/openclaw/openclaw:2026.10.1@{DIGEST}"
PROGRAM = """
import pathlib
from clawdet_infra.agent import package
package.TEMPLATES = pathlib.Path({folder!r})
"""


def _template(fleet: Fleet) -> None:
    """The same list, with a new site in the template of everybody's proxy."""
    folder = fleet.stack.folder / "templates"
    if not folder.exists():
        shutil.copytree(ROOT / "templates", folder)
        for caddyfile in (folder / "caddy").glob("*.Caddyfile.j2"):
            caddyfile.write_text(caddyfile.read_text() + "\nhttp://127.0.0.1:8181 {\n\trespond 204\n}\n")
    program = fleet.stack.folder / "__main__.py"
    program.write_text(PROGRAM.format(folder=str(folder)) + program.read_text())
    fleet.want()


def _release(fleet: Fleet) -> None:
    fleet.want(release=fleet.release | {"gateway": NEW_RELEASE})


def _list(*customers: dict[str, Any]) -> Callable[[Fleet], None]:
    return lambda fleet: fleet.want(customers)


CHANGES: dict[str, tuple[Callable[[Fleet], None], int]] = {
    "add": (_list(*BASELINE, customer("bob", "pro")), 0),
    "remove": (_list(ALICE, ACME), 5),
    "remove-free": (_list(USER123, ACME), 0),
    "plan": (_list(ALICE, customer("user123", "enterprise"), ACME), 0),
    "release": (_release, 0),
    "template": (_template, 0),
    "rotation": (_list(ALICE, customer("user123", "pro", tokenVersion=2), ACME), 0),
    "api-key": (_list(ALICE, USER123 | {"anthropicApiKey": OTHER_KEY}, ACME), 0),
    "reordering": (_list(ACME, ALICE, USER123), 0),
    "rename": (_list(ALICE, customer("user123", "pro", subdomain="assistant"), ACME), 0),
    "replacement": (_list(ALICE, customer("user123", "pro", server={"type": "cx23", "location": "nbg1"}), ACME), 5),
    "limits": (_list(ALICE, customer("user123", "pro", limits={"cpus": 2, "memory": 3200}), ACME), 0),
    "limits-mistake": (_list(ALICE, customer("user123", "pro", limits={"memory": 512}), ACME), 2),
    "malicious-subdomain": (
        _list(ALICE, customer("user123", "pro", subdomain="x`|<img src=//evil.test>@everyone"), ACME),
        2,
    ),
}


_ANSWERS: dict[tuple[str, str, str], Planned] = {}


@pytest.fixture(autouse=True)
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the engine once about each change: what may be lost is judged by its answer, and by nothing else of it."""

    def asked(stack: CheckoutStack, **wish: Any) -> Planned:
        program = (stack.root / "__main__.py").read_text()
        key = ((stack.root / f"Pulumi.{stack.name}.yaml").read_text(), program, str(sorted(wish.items())))
        if key not in _ANSWERS:
            _ANSWERS[key] = ask(stack, **wish)
        return _ANSWERS[key]

    monkeypatch.setattr("clawdet_infra.preview.run.ask", asked)


# The engine works on these as on others, and other tests ask it about some; their words have tests of their own.
SIMILAR = ("remove-free", "api-key", "reordering", "limits")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SIMILAR else ()) for name in CHANGES]
)
def test_the_report_is_the_expected_one(fleet: Fleet, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    change, code = CHANGES[name]
    change(fleet)
    found, ended = fleet.look(monkeypatch)
    markdown, report = as_markdown(found), as_json(found)
    assert ended == code, markdown
    _no_secret_in(markdown, json.dumps(report))
    for one in report["stacks"]:
        assert one.pop("seconds") >= 0
    _compare(GOLDEN / f"{name}.md", markdown)
    _compare(GOLDEN / f"{name}.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")


def test_a_reordered_list_changes_nothing(fleet: Fleet) -> None:
    fleet.want([ACME, ALICE, USER123])
    result = fleet.command("--json", "--expect-no-changes")
    assert result.code == 0, result.output
    report = json.loads(result.output)
    assert not report["changes"]
    assert report["stacks"][0]["subjects"] == []


@pytest.mark.parametrize("name", ["remove", "replacement"])
def test_what_loses_data_passes_once_it_is_named(fleet: Fleet, name: str) -> None:
    CHANGES[name][0](fleet)
    result = fleet.preview("--markdown", "--allow-loss", "user123")
    assert result.code == 0, result.output
    assert "Data is lost for ever" in result.output, "it is told first all the same"
    assert "refused" not in result.output.lower()


def test_another_ones_name_lets_nothing_pass(fleet: Fleet) -> None:
    CHANGES["remove"][0](fleet)
    result = fleet.preview("--allow-loss", "acme")
    assert result.code == 5
    assert "--allow-loss user123" in " ".join(result.output.split())


def test_the_environment_names_what_may_be_lost_too(fleet: Fleet) -> None:
    fleet.want([ALICE])
    fleet.stack.extra_env["CLAWDET_ALLOW_LOSS"] = "user123, acme"
    try:
        assert fleet.preview().code == 0
    finally:
        del fleet.stack.extra_env["CLAWDET_ALLOW_LOSS"]


def test_an_update_stops_before_it_touches_what_nobody_has_named(fleet: Fleet) -> None:
    fleet.want([ALICE, ACME])
    state = (fleet.stack.folder / "state" / ".pulumi" / "stacks" / "clawdet" / "test.json").read_bytes()
    result = fleet.up()
    assert result.code == 5, result.output
    assert "--allow-loss user123" in " ".join(result.output.split())
    assert (fleet.stack.folder / "state" / ".pulumi" / "stacks" / "clawdet" / "test.json").read_bytes() == state
    assert sorted(one.name for one in fleet.cloud.client().servers.get_all()) == ["acme", "shared-1", "user123"]


def test_an_update_judges_what_its_own_arguments_ask_for(fleet: Fleet) -> None:
    fleet.want()
    urn = "urn:pulumi:test::clawdet::clawdet:index:Customer$hcloud:index/server:Server::acme-server"
    result = fleet.up("--replace", urn)
    assert result.code == 5, result.output
    assert "--allow-loss acme" in " ".join(result.output.split())


def _no_secret_in(*texts: str) -> None:
    for text in texts:
        for secret in (CANARY_API_KEY, OTHER_KEY, "contract0test0", "PRIVATE KEY"):
            assert secret not in text


def _compare(file: Path, text: str) -> None:
    if os.environ.get("CLAWDET_GOLDEN") == "write":
        file.write_text(text)
    expected = file.read_text().splitlines()
    difference = "\n".join(difflib.unified_diff(expected, text.splitlines(), str(file), "now", lineterm=""))
    assert not difference, difference
