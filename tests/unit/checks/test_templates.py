"""Mistakes in the templates, made in a copy of them: each is found, and named with its file and service."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from clawdet_infra.cli.main import app
from tests.support.examples import examples
from tests.support.stack import ROOT
from tests.unit.checks.conftest import Templates


@dataclass(frozen=True)
class Mistake:
    """`old` in a template's file is replaced by `new`; the check that finds it, and what it names and says."""

    file: str
    old: str
    new: str
    check: str
    service: str | None
    said: str


SHARED, PRO, EDGE = "services.j2", "pro.compose.yaml.j2", "edge.compose.yaml.j2"
SCHEMA = "compose specification"
BROWSER_CHECK = "  healthcheck:\n    test:\n      - CMD\n      - bash"
AUTH = "    AUTH_PASSWORD: ${AUTH_PASSWORD:?is missing in .env}\n"

MISTAKES = [
    Mistake(SHARED, "restart: unless", "restrat: unless", SCHEMA, "gateway", "Did you mean `restart`?"),
    Mistake(SHARED, "restart: unless-stopped\n", "", "services", "gateway", "does not restart"),
    Mistake(SHARED, "cap_drop: [ALL]", "cap_drop: [ALL", "templates", "gateway", "not valid YAML"),
    Mistake(SHARED, "read_only: true\n", "read_only: true\n" * 2, "templates", "gateway", "written twice"),
    Mistake(SHARED, AUTH, "", "services", "proxy", "does not get AUTH_PASSWORD"),
    Mistake(SHARED, 'options: {max-size: 10m, max-file: "3"}', "options: {}", "hardening", "gateway", "fill the disk"),
    Mistake(SHARED, "{{ limits.cpus }}", "{{ limits.cpu }}", "templates", "gateway", "cannot be filled"),
    Mistake(SHARED, "{%- if ports %}", "{%- if ports", "templates", "proxy", "cannot be filled"),
    Mistake(
        SHARED,
        "{{ images.browser | compose }}",
        "{{ images.chromium | compose }}",
        "templates",
        "browser",
        "cannot be filled",
    ),
    Mistake(PRO, "part.gateway()", "part.gatway()", "templates", None, "gatway"),
    Mistake(PRO, "state: {}", "state: {", "templates", None, "not valid YAML"),
    Mistake(PRO, "volumes:\n", "volume:\n", SCHEMA, None, "Did you mean `volumes`?"),
    Mistake(
        EDGE,
        'ports: ["0.0.0.0:80:80", "0.0.0.0:443',
        'ports: ["0.0.0.0:80:80", "0.0.0.0:2019',
        "hardening",
        "edge",
        "publishes port 2019",
    ),
    Mistake(EDGE, "    healthcheck:", "    helthcheck:", SCHEMA, "edge", "Did you mean `healthcheck`?"),
    Mistake("gateway/openclaw.json.j2", '"local",', '"local"', "templates", None, "not valid JSON"),
    Mistake("gateway/openclaw.defaults.json", '"agents":', "agents:", "templates", None, "not valid JSON"),
    Mistake("host/cloud-init.yaml.j2", "disable_root: false", "disable_root: [", "templates", None, "not valid YAML"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=[f"{number}-{one.file}" for number, one in enumerate(MISTAKES)])
def test_a_mistake_is_found_and_named(copy: Templates, mistake: Mistake) -> None:
    copy.replace(mistake.file, mistake.old, mistake.new)
    findings = [finding for check in copy.wrong() if check.name == mistake.check for finding in check.findings]
    fitting = [one for one in findings if one.service == mistake.service and mistake.said in str(one)]
    assert fitting, [str(one) for check in copy.wrong() for one in check.findings]
    assert fitting[0].file == f"templates/{mistake.file}"
    assert fitting[0].concerns


def test_a_health_check_that_is_gone_is_missed(copy: Templates) -> None:
    text = (copy.folder / SHARED).read_text()
    begin = text.index(BROWSER_CHECK)
    copy.write(SHARED, text[:begin] + text[text.index("  {{ hardened(browser_limits)") :])
    [finding] = [finding for check in copy.wrong() for finding in check.findings]
    assert (finding.rule, finding.service, finding.file) == ("health_check", "browser", f"templates/{SHARED}")


def test_without_a_mistake_nothing_is_found(copy: Templates) -> None:
    assert copy.wrong() == []


def test_the_line_of_the_services_macro_is_told(copy: Templates) -> None:
    line = copy.replace(SHARED, "{% macro browser() -%}", "{% macro browser() -%}")
    copy.replace(SHARED, "    HOME: /tmp\n  network_mode: service:namespace", "    HOME: /tmp\n  network_mode: host")
    [finding] = [finding for check in copy.wrong() for finding in check.findings]
    assert str(finding).startswith(
        f"templates/services.j2:{line}: plan enterprise: service browser: shares the server's own"
    )


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_line_of_the_hardening_can_be_lost_unnoticed(copy: Templates, data: st.DataObject) -> None:
    original = (ROOT / "templates" / SHARED).read_text()
    hardened = original[original.index("restart: unless-stopped") : original.index("{%- endmacro %}")]
    lines = [line for line in hardened.splitlines() if line and not line.startswith(("#", "{%", "{#", "cap_add"))]
    gone = data.draw(st.sampled_from(lines))
    copy.write(SHARED, original.replace(f"{gone}\n", "", 1))
    assert copy.wrong(), f"nobody misses `{gone}`"


def test_the_command_tells_template_and_service_and_ends_with_2(copy: Templates) -> None:
    copy.replace(SHARED, "read_only: true", "read_only: false")
    result = CliRunner().invoke(app, ["validate", str(ROOT / "Pulumi.local.yaml")])
    assert result.exit_code == 2
    assert "wrong    hardening" in result.stdout
    assert "templates/services.j2:" in result.stderr
    assert "service gateway: can write to its own image. Write `read_only: true`" in result.stderr
    assert result.stdout.splitlines()[-1].endswith("to mend")
