"""Commands run with a selected stack, as an operator's do, and all JSON that they print has one form."""

from __future__ import annotations

import re
from typing import Any

import pytest

from clawdet_infra.cli import output
from clawdet_infra.formatting.json_format import plain_json

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture(autouse=True)
def selected(monkeypatch: pytest.MonkeyPatch) -> str:
    """The stack that is selected."""
    monkeypatch.setenv("PULUMI_STACK", "prod")
    return "prod"


@pytest.fixture(autouse=True)
def _one_form_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    real = output.dumps

    def dumps(value: Any, **options: Any) -> str:
        _check(plain_json(value))
        return real(value, **options)

    monkeypatch.setattr(output, "dumps", dumps)


def _check(value: Any) -> None:
    if isinstance(value, dict):
        assert not {"instance", "instances", "customerId"} & {key for key in value if isinstance(value[key], str)}
        for key, inner in value.items():
            # Labels of metrics are Prometheus'.
            if key != "labels":
                assert "_" not in key, f"{key} is not camelCase"
                _check(inner)
    elif isinstance(value, list):
        for one in value:
            _check(one)
    elif isinstance(value, str) and _TIME.match(value):
        assert _UTC.fullmatch(value), f"{value} is not ISO 8601 in UTC"
