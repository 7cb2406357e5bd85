from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from clawdet_infra.monitoring.daemon.config import Operations, OperationsError, load_operations
from clawdet_infra.monitoring.daemon.document import leaves, written
from clawdet_infra.monitoring.history import Retention

ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "ops" / "operations.example.yaml"
REFERENCE = ROOT / "docs" / "reference" / "operations.md"
LEAVES = {place: (kind, default) for place, kind, default in leaves(Operations)}
WORDS = {int: "whole number", float: "number", bool: "true or false", timedelta: "time"}


def write(folder: Path, text: str) -> Path:
    file = folder / "operations.yaml"
    file.write_text(text)
    return file


def problems(folder: Path, text: str) -> list[str]:
    file = write(folder, text)
    with pytest.raises(OperationsError) as caught:
        load_operations(file)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}:") for line in lines), "each problem says where it is"
    return [line.removeprefix(f"{file}:") for line in lines]


def test_the_documented_example_is_what_holds_without_a_file() -> None:
    assert load_operations(EXAMPLE) == Operations()


def test_the_documented_example_has_every_key() -> None:
    text = EXAMPLE.read_text()
    missing = [place for place in LEAVES if f"{place.rpartition('.')[2]}:" not in text]
    assert missing == []


def test_every_key_is_documented_with_its_type_and_default() -> None:
    lines = [line for line in REFERENCE.read_text().splitlines() if line.startswith("| `")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = {row[0].strip("`"): row[1:] for row in table}
    assert rows.keys() == LEAVES.keys()
    for place, (kind, default) in LEAVES.items():
        assert rows[place][0] == WORDS.get(kind, "list of times")
        assert rows[place][1] == f"`{written(default)}`"
        assert rows[place][2].endswith(".")


def test_a_file_that_is_missing_stands_for_the_defaults_unless_it_was_named(tmp_path: Path) -> None:
    assert load_operations(tmp_path / "none.yaml", required=False) == Operations()
    with pytest.raises(OperationsError, match="there is no file"):
        load_operations(tmp_path / "none.yaml")


def test_an_empty_file_stands_for_the_defaults(tmp_path: Path) -> None:
    assert load_operations(write(tmp_path, "# nothing\n")) == Operations()


def test_what_is_set_is_taken_and_the_rest_stays(tmp_path: Path) -> None:
    read = load_operations(write(tmp_path, "intervalSeconds: 15\nalerts: {raiseAfter: 1h30m, reminders: [90, 2d]}\n"))
    assert read.interval_seconds == 15
    assert read.alerts.raise_after == timedelta(minutes=90)
    assert read.alerts.reminders == (timedelta(seconds=90), timedelta(days=2))
    assert read.healing == Operations().healing


def test_an_unknown_key_names_the_nearest_known_one_and_its_line(tmp_path: Path) -> None:
    [one] = problems(tmp_path, "intervalSeconds: 5\nhealing:\n  cooldownSecond: 3\n")
    assert one.startswith("3: healing.cooldownSecond: is not a known key. Did you mean `cooldownSeconds`?")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "intervalSeconds: fast\nrounds:\n  confirm: 1\n  atOnce: 2.5\n"
        "alerts:\n  raiseAfter: 20x\n  reminders: 1h\nretention: 3\n",
    )
    assert [one.partition(" ")[0] for one in found] == ["1:", "3:", "4:", "6:", "7:", "8:"]
    assert found[0] == "1: intervalSeconds: must be a number, but is 'fast'."
    assert found[3] == "6: alerts.raiseAfter: must be a time such as 90s, 20m, 1h30m or 2d, but is '20x'."


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("healing: {failures: 0}", "healing: failures has to be at least 1, not 0."),
        ("healing: {brakeShare: 1.5}", "healing: brakeShare has to be above 0 and at most 1, not 1.5."),
        ("retention: {aggregates: 1d}", "aggregates is 1 day, 0:00:00; it has to be 92 days, 0:00:00 or more."),
        ("intervalSeconds: 0.5", "intervalSeconds has to be at least 1, not 0.5."),
        ("rounds: {slowSeconds: .nan}", "must be a number that is not infinite."),
    ],
)
def test_a_value_out_of_bounds_is_refused_in_the_words_of_the_file(tmp_path: Path, text: str, what: str) -> None:
    [one] = problems(tmp_path, text)
    assert one.endswith(what)


@pytest.mark.parametrize("value", ["99999999999d", "1e300", ".inf", ".nan"])
def test_a_time_that_no_clock_can_hold_is_refused(tmp_path: Path, value: str) -> None:
    [one] = problems(tmp_path, f"alerts: {{raiseAfter: {value}}}")
    assert one.startswith("1: alerts.raiseAfter: must be a time such as 90s, 20m, 1h30m or 2d")


def test_keys_of_the_version_before_work_with_a_warning_that_names_the_new_ones(tmp_path: Path) -> None:
    warnings: list[str] = []
    file = write(tmp_path, "retention: {looks: 3d, fiveMinutes: 4d, hours: 40d, days: 100d, events: 30d}\n")
    read = load_operations(file, warn=warnings.append)
    assert read.retention == Retention(
        samples=timedelta(days=3), aggregates=timedelta(days=100), events=timedelta(days=30)
    )
    assert [line.removeprefix(f"{file}: ").partition(";")[0] for line in warnings] == [
        "retention.looks is now called retention.samples",
        "retention.days is now called retention.aggregates",
        "retention.fiveMinutes has no effect any more",
        "retention.hours has no effect any more",
    ]


def test_a_key_that_is_set_by_both_names_has_the_value_of_the_new_one(tmp_path: Path) -> None:
    file = write(tmp_path, "retention: {looks: 3d, samples: 5d}\n")
    assert load_operations(file).retention.samples == timedelta(days=5)


def test_old_keys_are_documented() -> None:
    for old in ("looks", "days", "fiveMinutes", "hours"):
        assert f"`retention.{old}`" in REFERENCE.read_text()


def test_what_is_no_yaml_is_said_with_its_line(tmp_path: Path) -> None:
    assert problems(tmp_path, "a: 1\nb: [\n") == ["3: this is not YAML"]
    assert problems(tmp_path, "a: 2026-02-30\n") == [" this is not YAML"]
    assert problems(tmp_path, "- 1\n") == ["1: : must be a mapping, but is a list."]


def test_looks_further_apart_than_two_rounds_and_a_half_count_for_nothing() -> None:
    assert Operations(interval_seconds=600).longest_gap == timedelta(seconds=1500)
    assert Operations(interval_seconds=5).longest_gap == timedelta(seconds=150)
