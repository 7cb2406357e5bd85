"""The dashboard asks for what the exporter has, in queries that Prometheus reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from clawdet_infra.monitoring.metrics.exporter import OLD_NAMES, WHO, samples
from tests.unit.monitoring.metrics.test_exporter import everything

FILE = Path(__file__).resolve().parents[4] / "ops" / "grafana" / "clawdet.json"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
TARGETS = [(panel["title"], target) for panel in PANELS for target in panel["targets"]]
EXPORTED = {one["name"] for one in samples(everything()) if one["name"].removesuffix("_total") not in OLD_NAMES}
LABELS = {label for one in samples(everything()) for label in one["labels"]}
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
KINDS = {"stat", "table", "state-timeline", "timeseries", "bargauge"}


def parsed(expression: str) -> Any:
    """A query as Prometheus reads it, with Grafana's variables filled in."""
    filled = re.sub(r"\$__rate_interval", "5m", expression)
    return promql_parser.parse(re.sub(r"\$\w+", ".*", filled))


def selectors(node: Any) -> Iterator[Any]:
    """All that a query selects."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for part in ("expr", "lhs", "rhs", "vs", "vector_selector", "args"):
        inner = getattr(node, part, None)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None and type(one).__module__.startswith("promql_parser"):
                yield from selectors(one)


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=[f"{title} {one['refId']}" for title, one in TARGETS])
def test_a_query_selects_only_what_is_exported(title: str, target: dict[str, Any]) -> None:
    chosen = list(selectors(parsed(target["expr"])))
    assert chosen, f"{title}: the query selects something"
    for one in chosen:
        assert one.name in EXPORTED, f"{title}: nothing exports {one.name}"
        assert {matcher.name for matcher in one.matchers.matchers} <= LABELS


@pytest.mark.parametrize(("title", "target"), TARGETS, ids=[f"{title} {one['refId']}" for title, one in TARGETS])
def test_a_legend_names_labels_that_there_are(title: str, target: dict[str, Any]) -> None:
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= LABELS


def test_every_metric_that_is_no_detail_of_another_is_shown() -> None:
    shown = {one.name for _, target in TARGETS for one in selectors(parsed(target["expr"]))}
    stages = {"clawdet_probe_stage_seconds_count", "clawdet_probe_stage_seconds_sum", "clawdet_instance_stage_seconds"}
    assert EXPORTED - shown == stages | {"clawdet_instance_condition_since_timestamp_seconds"}


def test_it_asks_whatever_prometheus_the_reader_chooses() -> None:
    assert VARIABLES["datasource"]["type"] == "datasource"
    assert VARIABLES["datasource"]["query"] == "prometheus"
    sources = {json.dumps(one["datasource"]) for panel in PANELS for one in (panel, *panel["targets"])}
    assert sources == {'{"type": "prometheus", "uid": "${datasource}"}'}
    used = set(re.findall(r"\$(?!__)(\w+)", " ".join(target["expr"] for _, target in TARGETS)))
    assert used <= VARIABLES.keys()


def test_its_variables_are_labels_of_instances() -> None:
    for name in VARIABLES.keys() - {"datasource"}:
        assert name in WHO
        assert VARIABLES[name]["query"]["query"] == f"label_values(clawdet_instance_up, {name})"


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, "Grafana's grid has 24 columns"
    for one, other in combinations(PANELS, 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, f"{one['title']} lies over {other['title']}"


def test_panels_are_of_kinds_that_grafana_has_built_in() -> None:
    assert {panel["type"] for panel in PANELS} == KINDS
    for panel in PANELS:
        assert panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_it_can_be_imported_beside_others() -> None:
    assert DASHBOARD["id"] is None, "Grafana gives it a number"
    assert re.fullmatch(r"[a-z0-9-]{1,40}", DASHBOARD["uid"])
    assert DASHBOARD["schemaVersion"] >= 36
