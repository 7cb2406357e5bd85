"""One verdict on a stack file: by `validate`, `preview`, `up`, the program and signups alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from clawdet_infra.automation import InputError, TakenError
from clawdet_infra.automation.base import Base
from clawdet_infra.automation.signup import Signup
from clawdet_infra.automation.validation import check_of
from clawdet_infra.catalog import Related
from clawdet_infra.cli import project, up
from clawdet_infra.cli.main import app
from clawdet_infra.cli.output import Exit
from clawdet_infra.config import ConfigurationError, Fleet, Problem, check_file, load_fleet, read_config
from clawdet_infra.config.stackfile import read_stack_file
from clawdet_infra.engine import stacks as inventory
from clawdet_infra.inventory import InventoryError
from clawdet_infra.preview.run import PreviewOptions, preview
from clawdet_infra.preview.sources import CheckoutSource
from tests.support.cases import CASES, Case
from tests.unit.config.samples import CLOUD_TOKEN

REFUSED = {name: case for name, case in CASES.items() if case.refused}
ACCEPTED = {name: case for name, case in CASES.items() if not case.refused}
READABLE = {name: case for name, case in CASES.items() if not {"{secure:", "environment:"} & set(case.text.split())}
"""The files of which the engine makes nothing else than what is in them."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setattr(up, "ROOT", tmp_path)
    return tmp_path


def file_of(case: Case, root: Path) -> Path:
    file = root / "Pulumi.prod.yaml"
    file.write_text(case.text, encoding="utf-8")
    return file


def texts(file: Path) -> dict[str, str]:
    """The configuration as the engine hands it over, where nothing is encrypted."""
    config = read_stack_file(file, "clawdet").config
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def agrees(problems: Iterable[Problem], case: Case) -> None:
    """Hold problems against the verdict of a case."""
    errors = [one for one in problems if not one.warning]
    assert {one.field for one in errors} == set(case.refused), [str(one) for one in errors]
    for one in errors:
        assert case.refused[one.field] in one.message
    written = {one.suggestion.field: one.suggestion.value for one in errors if one.suggestion}
    assert case.suggested.items() <= written.items()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_validate_has_the_verdict_and_the_advice(case: Case, root: Path) -> None:
    file = file_of(case, root)
    agrees(check_file(file), case)
    shown = CliRunner().invoke(app, ["validate", str(file), "--json"])
    report = json.loads(shown.stdout)
    assert (shown.exit_code, report["valid"]) == ((2, False) if case.refused else (0, True))
    edits = {one["suggestion"]["field"]: one["suggestion"]["value"] for one in report["problems"] if one["suggestion"]}
    assert case.suggested.items() <= edits.items(), "a program can follow the advice too"


@pytest.mark.parametrize("case", READABLE.values(), ids=READABLE)
def test_the_program_has_the_verdict_and_the_advice(case: Case, root: Path) -> None:
    file = file_of(case, root)
    try:
        read_config(texts(file), secret=(), token=CLOUD_TOKEN, file=file, local_cloud=lambda _: {})
    except ConfigurationError as error:
        agrees(error.problems, case)
    else:
        assert not case.refused


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_preview_has_the_verdict_before_it_starts_the_engine(case: Case, root: Path) -> None:
    file_of(case, root)
    source = CheckoutSource("prod", root)
    if not case.refused:
        assert source.problems() == []
        return
    report = preview([source], PreviewOptions())
    assert report.misconfigured
    (stack,) = report.stacks
    assert not stack.asked
    assert all(field in " ".join(stack.problems) for field in case.refused)


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_up_refuses_before_anything_is_touched(
    case: Case, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def touched(*arguments: Any, **options: Any) -> None:
        raise AssertionError(f"something was run: {arguments}")

    for name in ("Popen", "run"):
        monkeypatch.setattr(f"subprocess.{name}", touched)
    monkeypatch.setattr(up.recover, "run", touched)
    file_of(case, root)
    assert up.update("prod") == Exit.CONFIGURATION
    told = " ".join(capsys.readouterr().err.split())
    assert all(field in told for field in case.refused)


@pytest.mark.parametrize("case", READABLE.values(), ids=READABLE)
def test_signups_over_a_base_have_its_verdict(case: Case, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's answer about a configuration is what it hands to the program."""
    from pulumi.automation import ConfigValue

    given = {key: ConfigValue(text) for key, text in texts(file_of(case, root)).items()}
    monkeypatch.setattr(inventory, "_given", lambda stack, root: given)
    monkeypatch.setenv("HCLOUD_TOKEN", CLOUD_TOKEN)
    if not case.refused:
        assert inventory.fleet_of("prod", root)
        return
    with pytest.raises(InventoryError) as caught:
        inventory.fleet_of("prod", root)
    assert all(field in str(caught.value) for field in case.refused)


OF_CUSTOMERS = {
    name: case
    for name, case in READABLE.items()
    if all(field.startswith("customers[") for field in case.refused)
    # A caller's id is a text, and a caller's number is one.
    and not any("YAML reads" in message for message in case.refused.values())
}


@pytest.mark.parametrize("case", OF_CUSTOMERS.values(), ids=OF_CUSTOMERS)
def test_a_customer_who_signs_up_is_refused_where_the_file_is(case: Case, root: Path) -> None:
    config = read_stack_file(file_of(case, root), "clawdet").config
    raw = {key.removeprefix("clawdet:"): value for key, value in config.items() if key.startswith("clawdet:")}
    entries = raw.pop("customers")
    over = based(load_fleet({**raw, "customers": []}, token=CLOUD_TOKEN))
    accepted: list[Mapping[str, Any]] = []
    for position, entry in enumerate(entries):
        expected = of_customer(case.refused, position)
        record = signup(entry).record()
        if not expected:
            accepted.append(check_of(over)(Related(accepted), record))
            continue
        with pytest.raises(InputError) as caught:
            check_of(over)(Related(accepted), record)
        found = caught.value.problems
        assert {one.field for one in found} == set(expected)
        assert all(expected[one.field] in one.message for one in found)
        assert isinstance(caught.value, TakenError) == ("telegramBotToken" in expected)
        edits = {one.suggestion.field: one.suggestion.value for one in found if one.suggestion}
        assert of_customer(case.suggested, position).items() <= edits.items(), "the caller has no list with positions"


def of_customer(fields: Mapping[str, Any], position: int) -> dict[str, Any]:
    mark = f"customers[{position}]."
    return {field.removeprefix(mark): value for field, value in fields.items() if field.startswith(mark)}


def based(fleet: Fleet) -> Base:
    up_ = {one.id: {} for one in fleet.shared_hosts}
    return Base("prod", fleet, {"registry_key": "5e" * 32, "base": {"hosts": up_}}, "1")


def signup(entry: Mapping[str, Any]) -> Signup:
    named = ("id", "plan", "anthropicApiKey", "telegramBotToken")
    bot = entry.get("telegramBotToken")
    return Signup(
        id=entry["id"],
        plan=entry["plan"],
        api_key=SecretStr(entry["anthropicApiKey"]),
        telegram_bot_token=SecretStr(bot) if bot else None,
        options={key: value for key, value in entry.items() if key not in named},
    )
