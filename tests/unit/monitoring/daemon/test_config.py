from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from clawdet_infra.formatting.durations import Seconds
from clawdet_infra.monitoring.alerts.policy import AlertPolicy, FleetOutage
from clawdet_infra.monitoring.checks.policy import CheckPolicy
from clawdet_infra.monitoring.daemon.config import DaemonConfig, DaemonConfigError, load_config
from clawdet_infra.monitoring.daemon.document import leaves, written
from clawdet_infra.monitoring.daemon.old_keys import RENAMED
from clawdet_infra.monitoring.history import Retention
from clawdet_infra.monitoring.remediation import CircuitBreaker, RemediationPolicy

ROOT = Path(__file__).resolve().parents[4]
EXAMPLE = ROOT / "ops" / "operations.example.yaml"
REFERENCE = ROOT / "docs" / "reference" / "operations.md"
LEAVES = {place: (kind, default) for place, kind, default in leaves(DaemonConfig)}
WORDS = {int: "whole number", float: "number", bool: "true or false", timedelta: "time", Seconds: "time"}
BEFORE = Path(__file__).parent / "taken_over" / "operations.yaml"
"""The example of the version before, with every key that it had."""


def write(folder: Path, text: str) -> Path:
    file = folder / "operations.yaml"
    file.write_text(text)
    return file


def problems(folder: Path, text: str) -> list[str]:
    file = write(folder, text)
    with pytest.raises(DaemonConfigError) as caught:
        load_config(file)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}:") for line in lines), "each problem says where it is"
    return [line.removeprefix(f"{file}:") for line in lines]


def reference() -> tuple[str, str]:
    """The keys of now, and those of before."""
    now, _, before = REFERENCE.read_text().partition("\n## Old keys\n")
    return now, before


def test_the_documented_example_is_what_holds_without_a_file() -> None:
    assert load_config(EXAMPLE) == DaemonConfig()


def test_the_documented_example_has_every_key() -> None:
    text = EXAMPLE.read_text()
    missing = [place for place in LEAVES if f"{place.rpartition('.')[2]}:" not in text]
    assert missing == []


def test_every_key_is_documented_with_its_type_and_default() -> None:
    lines = [line for line in reference()[0].splitlines() if line.startswith("| `")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = {row[0].strip("`"): row[1:] for row in table}
    assert rows.keys() == LEAVES.keys()
    for place, (kind, default) in LEAVES.items():
        assert rows[place][0] == WORDS.get(kind, "list of times")
        assert rows[place][1] == f"`{written(default)}`"
        assert rows[place][2].endswith(".")


def test_a_file_that_is_missing_stands_for_the_defaults_unless_it_was_named(tmp_path: Path) -> None:
    assert load_config(tmp_path / "none.yaml", required=False) == DaemonConfig()
    with pytest.raises(DaemonConfigError, match="there is no file"):
        load_config(tmp_path / "none.yaml")


def test_an_empty_file_stands_for_the_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "# nothing\n")) == DaemonConfig()


def test_what_is_set_is_taken_and_the_rest_stays(tmp_path: Path) -> None:
    read = load_config(write(tmp_path, "interval: 15s\nalerts: {maxDelay: 1h30m, reminders: [90, 2d]}\n"))
    assert read.interval_seconds == 15
    assert read.alerts.max_delay == timedelta(minutes=90)
    assert read.alerts.reminders == (timedelta(seconds=90), timedelta(days=2))
    assert read.remediation == DaemonConfig().remediation


def test_an_unknown_key_names_the_nearest_known_one_and_its_line(tmp_path: Path) -> None:
    [one] = problems(tmp_path, "interval: 5\nremediation:\n  cooldwn: 3m\n")
    assert one.startswith("3: remediation.cooldwn: is not a known key. Did you mean `cooldown`?")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "interval: fast\nchecks:\n  confirm: 1\n  concurrency: 2.5\n"
        "alerts:\n  maxDelay: 20x\n  reminders: 1h\nretention: 3\n",
    )
    assert [one.partition(" ")[0] for one in found] == ["1:", "3:", "4:", "6:", "7:", "8:"]
    assert found[0] == "1: interval: must be a time such as 90s, 20m, 1h30m or 2d, but is 'fast'."
    assert found[3] == "6: alerts.maxDelay: must be a time such as 90s, 20m, 1h30m or 2d, but is '20x'."


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("remediation: {failureThreshold: 0}", "remediation: failureThreshold must be at least 1, not 0."),
        (
            "remediation: {circuitBreaker: {maxDownRatio: 1.5}}",
            "remediation.circuitBreaker: maxDownRatio must be above 0 and at most 1, not 1.5.",
        ),
        ("retention: {aggregates: 1d}", "aggregates is 1 day, 0:00:00; it has to be 92 days, 0:00:00 or more."),
        ("interval: 500ms", "interval must be at least 1 s, not 0.5 s."),
        ("alerts: {fleetOutage: {maxDownRatio: .nan}}", "must be a number that is not infinite."),
    ],
)
def test_a_value_out_of_bounds_is_refused_in_the_words_of_the_file(tmp_path: Path, text: str, what: str) -> None:
    [one] = problems(tmp_path, text)
    assert one.endswith(what)


@pytest.mark.parametrize("value", ["99999999999d", "1e300", ".inf", ".nan"])
def test_a_time_that_no_clock_can_hold_is_refused(tmp_path: Path, value: str) -> None:
    [one] = problems(tmp_path, f"alerts: {{maxDelay: {value}}}")
    assert one.startswith("1: alerts.maxDelay: must be a time such as 90s, 20m, 1h30m or 2d")


def test_keys_of_the_version_before_work_with_a_warning_that_names_the_new_ones(tmp_path: Path) -> None:
    warnings: list[str] = []
    file = write(tmp_path, "retention: {looks: 3d, fiveMinutes: 4d, hours: 40d, days: 100d, events: 30d}\n")
    read = load_config(file, warn=warnings.append)
    assert read.retention == Retention(
        samples=timedelta(days=3), aggregates=timedelta(days=100), events=timedelta(days=30)
    )
    assert [line.removeprefix(f"{file}:1: ").partition(";")[0] for line in warnings] == [
        "retention.looks is now retention.samples",
        "retention.fiveMinutes has no effect any more",
        "retention.hours has no effect any more",
        "retention.days is now retention.aggregates",
    ]


def test_the_example_of_the_version_before_means_the_same_and_each_old_key_has_a_warning() -> None:
    warnings: list[str] = []
    assert load_config(BEFORE, warn=warnings.append) == DaemonConfig()
    named = [line.split(" ", 2)[1] for line in warnings]
    assert len(named) == len(set(named)), "one for each key"
    assert {*RENAMED} - {*named} == {"retention.looks", "retention.days", "retention.fiveMinutes", "retention.hours"}
    for line in warnings:
        old, new = line.split(" ", 2)[1], line.partition(" is now ")[2].partition(";")[0]
        assert RENAMED[old] == new
        number = int(line.removeprefix(f"{BEFORE}:").partition(":")[0])
        assert old.rpartition(".")[2] in BEFORE.read_text().splitlines()[number - 1], "with the line of the key"


def test_every_value_of_a_file_of_the_version_before_is_taken(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
intervalSeconds: 30
inventorySeconds: 301
upkeepSeconds: 302
stopSeconds: 21
rounds: {slowSeconds: 3, requestSeconds: 11, lookSeconds: 22, confirm: false, confirmPauseSeconds: 0.5, atOnce: 65,
  openAtOnce: 401, workingSeconds: 0.35, spreadSeconds: 0.6, hostsAtOnce: 17, hostSeconds: 16, allHostsEvery: 3,
  deadlineSeconds: 56}
healing: {failures: 4, cooldownSeconds: 303, repairs: 5, windowSeconds: 21601, reboots: 2, rebootSeconds: 3601,
  stepSeconds: 421, settleSeconds: 181, concurrency: 6, brakeShare: 0.4, brakeLeast: 7}
alerts: {raiseFailures: 4, raiseAfter: 21m, raiseAfterFailures: 22, slowLooks: 11, resolveLooks: 3, reminders: [2h],
  fleetShare: 0.6, fleetServers: 4, channelLooks: 61, certificateDays: 13.5, flapWindow: 2h, flapCalmLooks: 31}
""",
    )
    assert load_config(file, warn=lambda text: None) == DaemonConfig(
        interval_seconds=30,
        inventory_interval_seconds=301,
        aggregation_interval_seconds=302,
        shutdown_timeout_seconds=21,
        checks=CheckPolicy(
            latency_threshold_seconds=3,
            request_timeout_seconds=11,
            probe_timeout_seconds=22,
            confirm=False,
            confirm_delay_seconds=0.5,
            concurrency=65,
            max_in_flight=401,
            slot_timeout_seconds=0.35,
            jitter_seconds=0.6,
            host_concurrency=17,
            host_timeout_seconds=16,
            full_host_check_every=3,
            cycle_timeout_seconds=56,
        ),
        remediation=RemediationPolicy(
            failure_threshold=4,
            cooldown_seconds=303,
            max_repairs=5,
            repair_window_seconds=21601,
            max_reboots=2,
            reboot_window_seconds=3601,
            step_timeout_seconds=421,
            recovery_timeout_seconds=181,
            concurrency=6,
            circuit_breaker=CircuitBreaker(max_down_ratio=0.4, min_servers=7),
        ),
        alerts=AlertPolicy(
            failure_threshold=4,
            max_delay=timedelta(minutes=21),
            max_delay_failures=22,
            slow_threshold=11,
            success_threshold=3,
            reminders=(timedelta(hours=2),),
            fleet_outage=FleetOutage(max_down_ratio=0.6, min_servers=4),
            channel_threshold=61,
            certificate_expiry=timedelta(days=13.5),
            flap_window=timedelta(hours=2),
            flap_success_threshold=31,
        ),
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "remediation: {recoveryTimeout: 5m}\nhealing: {settleSeconds: 9}\n",
            "2: healing.settleSeconds: is the old name of remediation.recoveryTimeout, which is set too; "
            "remove healing.settleSeconds.",
        ),
        (
            "healing: {brakeShare: 0.5}\nremediation: {circuitBreaker: {maxDownRatio: 0.6}}\n",
            "1: healing.brakeShare: is the old name of remediation.circuitBreaker.maxDownRatio, which is set too; "
            "remove healing.brakeShare.",
        ),
        (
            "retention: {looks: 3d, samples: 5d}\n",
            "1: retention.looks: is the old name of retention.samples, which is set too; remove retention.looks.",
        ),
    ],
)
def test_a_key_that_is_set_by_both_names_is_an_error_that_says_so(tmp_path: Path, text: str, what: str) -> None:
    assert problems(tmp_path, text) == [what]


def test_old_and_new_keys_may_stand_beside_each_other(tmp_path: Path) -> None:
    read = load_config(
        write(
            tmp_path,
            "rounds: {atOnce: 7}\nchecks: {jitter: 1s}\nhealing: {brakeShare: 0.5}\n"
            "remediation: {circuitBreaker: {minServers: 9}}\n",
        ),
        warn=lambda text: None,
    )
    assert (read.checks.concurrency, read.checks.jitter_seconds) == (7, 1)
    assert read.remediation.circuit_breaker == CircuitBreaker(max_down_ratio=0.5, min_servers=9)


def test_what_is_wrong_with_an_old_key_is_said_by_its_own_name_and_line(tmp_path: Path) -> None:
    found = problems(tmp_path, "interval: 5\nhealing:\n  cooldownSecond: 3\n  settleSeconds: soon\nrounds: 3\n")
    assert found[0].startswith("3: healing.cooldownSecond: is not a known key. Did you mean `cooldown`?")
    assert found[1].startswith("4: healing.settleSeconds: must be a time such as")
    assert found[2].startswith("5: rounds: must be a mapping")
    assert problems(tmp_path, "interval: 5\nhealing:\n  failures: 0\n") == [
        "2: healing: failureThreshold must be at least 1, not 0."
    ]


def test_new_keys_in_a_section_of_before_work_too(tmp_path: Path) -> None:
    warnings: list[str] = []
    file = write(tmp_path, "rounds: {jitter: 1s, concurrency: 3}\n")
    read = load_config(file, warn=warnings.append)
    assert (read.checks.jitter_seconds, read.checks.concurrency) == (1, 3)
    assert warnings == [f"{file}:1: rounds is now checks; the old name works in this version for the last time"]


def test_old_keys_are_documented_with_those_of_now() -> None:
    rows = [re.findall(r"`([^`]+)`", line) for line in reference()[1].splitlines() if line.startswith("| `")]
    assert {row[0]: row[1] if len(row) > 1 else None for row in rows} == RENAMED
    assert {name for name in RENAMED.values() if name} <= LEAVES.keys()


def test_what_is_no_yaml_is_said_with_its_line(tmp_path: Path) -> None:
    assert problems(tmp_path, "a: 1\nb: [\n") == ["3: this is not YAML"]
    assert problems(tmp_path, "a: 2026-02-30\n") == [" this is not YAML"]
    assert problems(tmp_path, "- 1\n") == ["1: : must be a mapping, but is a list."]


def test_looks_further_apart_than_two_rounds_and_a_half_count_for_nothing() -> None:
    assert DaemonConfig(interval_seconds=600).longest_gap == timedelta(seconds=1500)
    assert DaemonConfig(interval_seconds=5).longest_gap == timedelta(seconds=150)
