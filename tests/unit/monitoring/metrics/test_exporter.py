from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from clawdet_infra.inventory.observation import Condition, Observation, State, Step
from clawdet_infra.monitoring.metrics import InstanceReading, Readings, StageTimes, from_history, samples, text
from clawdet_infra.monitoring.metrics.exporter import OLD_NAMES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
REFERENCE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "metrics.md"


def stages(*seconds: float) -> StageTimes:
    times = StageTimes()
    times.count(
        Observation(
            instance="ada",
            server="ada",
            at=NOON,
            condition=Condition.HEALTHY,
            latency_seconds=one,
            stage_seconds={"dns": one},
        )
        for one in seconds
    )
    return times


def everything() -> Readings:
    """Readings in which nothing is left out."""
    return Readings(
        instances=(
            InstanceReading(
                id="ada",
                server="s1",
                stack="prod",
                plan="free",
                condition=Condition.SLOW,
                since=NOON,
                latency_seconds=2.5,
                certificate_days=30,
                not_ready=1,
                stage_seconds={"dns": 0.01},
            ),
            InstanceReading(id="bob", server="s2", stack="prod", plan="pro", condition=Condition.DOWN, failures=4),
        ),
        repairs={(Step.RESTART, "healed"): 2, (Step.REBOOT, "failed"): 1},
        repairs_running=1,
        braked=False,
        alerts_open=1,
        history_available=True,
        history_bytes=4096,
        inventory_age_seconds=3,
        rounds=7,
        round_seconds=1.5,
        round_at=NOON,
        unseen=0,
        stages=stages(0.004, 0.005, 0.3, 99).read(),
    )


def values(readings: Readings, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """The samples of a metric as another program reads them, by their labels."""
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text(readings))
        for sample in family.samples
        if sample.name == name
    }


def families(readings: Readings) -> set[str]:
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(text(readings))
    }


def who(identity: str, server: str, plan: str) -> tuple[tuple[str, str], ...]:
    return (("instance_id", identity), ("plan", plan), ("server", server), ("stack", "prod"))


def test_an_instance_that_answers_late_is_up_and_slow() -> None:
    ada, bob = who("ada", "s1", "free"), who("bob", "s2", "pro")
    assert values(everything(), "clawdet_instance_up") == {ada: 1, bob: 0}
    assert values(everything(), "clawdet_instance_slow") == {ada: 1, bob: 0}
    assert values(everything(), "clawdet_instance_consecutive_failures") == {ada: 0, bob: 4}


def test_instances_are_counted_by_condition() -> None:
    assert values(everything(), "clawdet_instances") == {
        (("condition", "healthy"),): 0,
        (("condition", "slow"),): 1,
        (("condition", "down"),): 1,
    }


def test_what_is_not_known_is_left_out() -> None:
    certificates = values(everything(), "clawdet_instance_certificate_remaining_seconds")
    assert certificates == {who("ada", "s1", "free"): 30 * 86_400}
    assert values(Readings(), "clawdet_alerts_open") == {}


def test_repairs_are_counted_by_step_and_outcome() -> None:
    assert values(everything(), "clawdet_repairs_total") == {
        (("outcome", "healed"), ("step", "restart")): 2,
        (("outcome", "failed"), ("step", "reboot")): 1,
    }


def test_a_histogram_counts_each_time_in_its_bucket_and_all_above() -> None:
    buckets = values(everything(), "clawdet_probe_stage_seconds_bucket")
    by_bound = {dict(labels)["le"]: value for labels, value in buckets.items()}
    assert by_bound["0.005"] == 2, "a bound belongs to its bucket"
    assert by_bound["0.25"] == 2
    assert by_bound["0.5"] == 3
    assert by_bound["20.0"] == 3
    assert by_bound["+Inf"] == 4
    assert values(everything(), "clawdet_probe_stage_seconds_count") == {(("stage", "dns"),): 4}


def reference(part: int) -> list[list[str]]:
    """The rows of the metrics of now (0), or of the old names (1)."""
    text = REFERENCE.read_text().split("\n## Old names\n")[part]
    return [line.split("|") for line in text.splitlines() if line.startswith("| `clawdet_")]


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    documented = {row[1].strip().strip("`"): row[4].strip() for row in reference(0)}
    assert documented.keys() == {
        name for name in families(everything()) if name.removesuffix("_total") not in OLD_NAMES
    }
    state = State(instance="ada", server="s", condition=Condition.DOWN, since=NOON, failures=1, observed_at=NOON)
    known = {one["name"] for one in samples(from_history([state], 0, 1))} - OLD_NAMES
    assert {name for name, kept in documented.items() if kept == "yes"} == known


def test_old_names_are_exported_and_documented_with_those_of_now() -> None:
    old = {tuple(cell.strip().split("`")[1] for cell in row[1:3]) for row in reference(1)}
    assert {name.removesuffix("_total") for name, _ in old} == OLD_NAMES
    for before, now in old:
        values_before, values_now = values(everything(), before), values(everything(), now)
        factor = 86_400 if before.endswith("_days") else 1
        assert {labels: value * factor for labels, value in values_before.items()} == values_now != {}
    assert "# HELP clawdet_healing_braked Deprecated: clawdet_remediation_suspended replaces it." in text(everything())
    assert values(Readings(), "clawdet_healing_braked") == {}


def test_from_the_history_alone_only_those_that_there_are_get_counted() -> None:
    gone = State(instance="gone", server="s", condition=Condition.DOWN, since=NOON, failures=1, observed_at=NOON)
    there = State(instance="ada", server="s1", condition=Condition.HEALTHY, since=NOON, failures=0, observed_at=NOON)
    readings = from_history([there, gone], 0, 1, {"ada": ("prod", "free")})
    assert values(readings, "clawdet_instance_up") == {who("ada", "s1", "free"): 1}


def test_a_name_with_quotes_and_line_ends_stays_one_label() -> None:
    odd = InstanceReading(id='a"\n\\b', server="s", stack="t", plan="p", condition=Condition.HEALTHY)
    [labels] = values(Readings(instances=(odd,)), "clawdet_instance_up")
    assert dict(labels)["instance_id"] == 'a"\n\\b'
