"""Readings in Prometheus' text form.

Metrics that have another name now are exported by the old one too, until the next release: an alert rule about a metric
that is gone would never fire.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from clawdet_infra.inventory.observation import Condition
from clawdet_infra.monitoring.metrics.readings import BOUNDS, InstanceReading, Readings

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

WHO = ("instance_id", "server", "stack", "plan")
"""The labels of an instance.  Prometheus itself calls what it scrapes `instance`, so ours is `instance_id`."""

_OLD_NAMES = {
    "clawdet_instance_consecutive_failures": ("clawdet_instance_failures", 1.0),
    "clawdet_instance_certificate_remaining_seconds": ("clawdet_instance_certificate_days", 1 / 86_400),
    "clawdet_remediation_suspended": ("clawdet_healing_braked", 1.0),
    "clawdet_history_size_bytes": ("clawdet_history_bytes", 1.0),
    "clawdet_check_cycles": ("clawdet_rounds", 1.0),
    "clawdet_check_cycle_duration_seconds": ("clawdet_round_duration_seconds", 1.0),
    "clawdet_check_cycle_timestamp_seconds": ("clawdet_round_timestamp_seconds", 1.0),
    "clawdet_check_cycle_unchecked_instances": ("clawdet_round_unseen_instances", 1.0),
}
"""Metrics, each with its name of before, and what its value is multiplied by there."""
OLD_NAMES = {old for old, _ in _OLD_NAMES.values()}
"""The names of before."""


def text(readings: Readings) -> str:
    """Return readings in Prometheus' text form."""
    registry = CollectorRegistry()
    registry.register(_Readings(readings))
    return generate_latest(registry).decode()


def samples(readings: Readings) -> list[dict[str, Any]]:
    """Return readings as plain values: the name, labels and value of every sample."""
    return [
        {"name": sample.name, "labels": sample.labels, "value": sample.value}
        for metric in _Readings(readings).collect()
        for sample in metric.samples
    ]


class _Readings(Collector):
    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def collect(self) -> Iterable[Metric]:
        for metric in (*_instances(self._readings.instances), *_checker(self._readings), *_work(self._readings)):
            yield metric
            if metric.name in _OLD_NAMES and metric.samples:
                yield _by_old_name(metric)


def _by_old_name(metric: Metric) -> Metric:
    name, factor = _OLD_NAMES[metric.name]
    old = Metric(name, f"Deprecated: {metric.name} replaces it.", metric.type)
    for sample in metric.samples:
        old.add_sample(sample.name.replace(metric.name, name, 1), sample.labels, sample.value * factor)
    return old


def _instances(instances: tuple[InstanceReading, ...]) -> Iterator[Metric]:
    up = GaugeMetricFamily("clawdet_instance_up", "1 where an instance answers, be it late; else 0.", labels=WHO)
    slow = GaugeMetricFamily("clawdet_instance_slow", "1 where an instance answers, but late; else 0.", labels=WHO)
    failures = GaugeMetricFamily(
        "clawdet_instance_consecutive_failures", "How many probes in a row found an instance down.", labels=WHO
    )
    since = GaugeMetricFamily(
        "clawdet_instance_condition_since_timestamp_seconds",
        "When an instance came to be as it is (seconds since 1970).",
        labels=WHO,
    )
    latency = GaugeMetricFamily(
        "clawdet_instance_latency_seconds", "How long all stages of the last probe took together.", labels=WHO
    )
    certificate = GaugeMetricFamily(
        "clawdet_instance_certificate_remaining_seconds",
        "How long an instance's certificate is still valid.",
        labels=WHO,
    )
    channels = GaugeMetricFamily(
        "clawdet_instance_channels_not_ready",
        "How many channels of an instance that serves do not reach their service.",
        labels=WHO,
    )
    stages = GaugeMetricFamily(
        "clawdet_instance_stage_seconds", "How long a stage of the last probe took.", labels=(*WHO, "stage")
    )
    totals = dict.fromkeys(Condition, 0)
    for one in instances:
        who = (one.id, one.server, one.stack, one.plan)
        totals[one.condition] += 1
        up.add_metric(who, one.condition is not Condition.DOWN)
        slow.add_metric(who, one.condition is Condition.SLOW)
        failures.add_metric(who, one.failures)
        if one.since is not None:
            since.add_metric(who, one.since.timestamp())
        if one.latency_seconds is not None:
            latency.add_metric(who, one.latency_seconds)
        if one.certificate_days is not None:
            certificate.add_metric(who, one.certificate_days * 86_400)
        if one.not_ready is not None:
            channels.add_metric(who, one.not_ready)
        for stage, seconds in one.stage_seconds.items():
            stages.add_metric((*who, stage), seconds)
    total = GaugeMetricFamily("clawdet_instances", "How many instances are in each condition.", labels=("condition",))
    for condition, count in totals.items():
        total.add_metric((condition.value,), count)
    yield from (total, up, slow, failures, since, latency, certificate, channels, stages)


def _work(readings: Readings) -> Iterator[Metric]:
    repairs = CounterMetricFamily(
        "clawdet_repairs", "Repairs that ended since the checker began.", labels=("step", "outcome")
    )
    for (step, outcome), count in sorted(readings.repairs.items()):
        repairs.add_metric((step.value, outcome), count)
    yield repairs
    stages = HistogramMetricFamily(
        "clawdet_probe_stage_seconds", "How long stages of probes took, over all instances.", labels=("stage",)
    )
    for stage, (counts, total) in sorted(readings.stages.items()):
        seen = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
            seen += count
            buckets.append((bound, seen))
        stages.add_metric((stage,), buckets, total)
    yield stages


def _checker(readings: Readings) -> Iterator[Metric]:
    gauges = {
        "clawdet_repairs_running": ("Repairs under way.", readings.repairs_running),
        "clawdet_remediation_suspended": (
            "1 if so much is down at once that the circuit breaker stops repairs.",
            readings.braked,
        ),
        "clawdet_alerts_open": ("Alerts that are open.", readings.alerts_open),
        "clawdet_history_available": ("1 if the history can be written; else 0.", readings.history_available),
        "clawdet_history_size_bytes": ("The size of the history.", readings.history_bytes),
        "clawdet_inventory_age_seconds": (
            "How long ago the list of instances was read.",
            readings.inventory_age_seconds,
        ),
        "clawdet_check_cycle_duration_seconds": ("How long the last check cycle took.", readings.round_seconds),
        "clawdet_check_cycle_timestamp_seconds": (
            "When the last check cycle ended (seconds since 1970).",
            readings.round_at.timestamp() if readings.round_at else None,
        ),
        "clawdet_check_cycle_unchecked_instances": (
            "Instances that the last check cycle did not reach.",
            readings.unseen,
        ),
    }
    for name, (meaning, value) in gauges.items():
        if value is not None:
            yield GaugeMetricFamily(name, meaning, value=float(value))
    if readings.rounds is not None:
        yield CounterMetricFamily("clawdet_check_cycles", "Check cycles since the daemon began.", value=readings.rounds)
