from __future__ import annotations

from typing import Any

import pytest

from clawdet_infra.checks import Document
from clawdet_infra.checks.schema import schema
from tests.unit.checks.examples import content, document


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise", "edge"])
def test_the_templates_own_documents_fit(plan: str) -> None:
    assert list(schema(document(plan))) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"restrat": "always"},
            "has `restrat`, which the compose specification does not know. Did you mean `restart`?",
        ),
        ({"healthcheck": {"tset": ["CMD"]}}, "`healthcheck` has `tset`"),
        ({"mem_limit": ["3g"]}, "`mem_limit` does not fit the compose specification: it is array and should be"),
        ({"cap_drop": "ALL"}, "`cap_drop` does not fit the compose specification: it is string and should be array"),
        ({"command": {"a": 1}}, "`command`"),
        ({"ports": [{"published": 80, "tagret": 80}]}, "`tagret`"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_key_or_a_kind_of_value_that_compose_does_not_know_is_told_with_its_service(
    values: dict[str, Any], said: str
) -> None:
    broken = content()
    broken["services"]["gateway"].update(values)
    findings = list(schema(Document(broken)))
    assert [finding.service for finding in findings] == ["gateway"]
    assert said in str(findings[0])


def test_a_key_at_the_top_and_a_service_of_an_impossible_name_are_told_too() -> None:
    broken = content()
    broken["servces"] = {}
    broken["services"]["my gateway"] = broken["services"]["gateway"]
    told = sorted(str(finding) for finding in schema(Document(broken)))
    assert told[0].startswith("`services` has `my gateway`,"), told
    assert told[1].startswith("has `servces`,"), told
    assert "`services`?" in told[1]


def test_no_value_is_quoted_since_it_could_be_a_secret() -> None:
    broken = content()
    broken["services"]["gateway"]["environment"] = {"ANTHROPIC_API_KEY": {"sk-ant-canary": "sk-ant-canary"}}
    findings = list(schema(Document(broken)))
    assert findings
    assert "canary" not in str(findings)
