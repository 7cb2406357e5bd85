"""Runs all checks of the rendered deployments, in the order in which they are reported."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from clawdet_infra.checks import origin
from clawdet_infra.checks.compose import compose_findings, find_compose
from clawdet_infra.checks.document import Document, read
from clawdet_infra.checks.finding import Check, Finding, merged
from clawdet_infra.checks.renderings import Rendering, of_fleet, of_plans
from clawdet_infra.checks.rules import duties_of, hardening_of
from clawdet_infra.checks.schema import schema
from clawdet_infra.config import Fleet

Read = tuple[Rendering, Document]


def checks(fleet: Fleet | None) -> Iterator[Check]:
    """Yield the checks of the templates, rendered for a fleet.

    Without a fleet, because its configuration is invalid, only the sample fleets are rendered.
    """
    documents: list[Read] = []
    yield _timed("templates", lambda: _templates(fleet, documents))
    yield _timed("compose specification", lambda: (f"{_count(documents)}", _over(documents, schema)))
    services = sum(len(document.services) for _, document in documents)
    yield _timed(
        "services",
        lambda: (f"secrets, health checks and restart policies of {services}", _over(documents, duties_of)),
    )
    yield _timed("hardening", lambda: (f"rules for {services} services", _over(documents, hardening_of)))
    yield _by_compose([rendering for rendering, _ in documents])


def _timed(name: str, look: Callable[[], tuple[str, Iterable[Finding]]]) -> Check:
    begun = time.perf_counter()
    detail, findings = look()
    return Check(
        name=name, detail=detail, findings=tuple(merged(findings)), seconds=round(time.perf_counter() - begun, 4)
    )


def _templates(fleet: Fleet | None, documents: list[Read]) -> tuple[str, list[Finding]]:
    """Render everything; add the valid compose files to `documents`."""
    findings: list[Finding] = []
    own = list(of_fleet(fleet)) if fleet else []
    for rendering in (*of_plans(), *own):
        if isinstance(rendering, Finding):
            findings.append(rendering)
            continue
        findings += _config_files(rendering)
        document = read(rendering.compose or rendering.files["user-data"], edge=rendering.edge)
        if isinstance(document, Finding):
            findings.append(_placed(document, rendering))
        elif rendering.compose is not None:
            documents.append((rendering, document))
    kinds = f" and {len(own)} kind{'' if len(own) == 1 else 's'} of deployments of this stack" if fleet else ""
    return f"3 plans, the edge proxy{kinds}", findings


def _config_files(rendering: Rendering) -> Iterator[Finding]:
    for name, text in rendering.files.items():
        if not name.endswith(".json"):
            continue
        try:
            json.loads(text)
        except ValueError as error:
            file, line = origin.of_config(name)
            message = f"is not valid JSON: {error}, after it was filled."
            hint = "Check the commas and quotes there."
            yield Finding(rule="json", message=message, hint=hint, file=file, line=line, concerns=(rendering.concerns,))


def _over(documents: Sequence[Read], look: Callable[[Document], Iterable[Finding]]) -> Iterator[Finding]:
    for rendering, document in documents:
        for finding in look(document):
            yield _placed(finding, rendering)


def _placed(finding: Finding, rendering: Rendering) -> Finding:
    file, line = origin.of_service(rendering.template, finding.service)
    return replace(finding, file=file, line=line, concerns=(rendering.concerns,))


def _by_compose(renderings: Sequence[Rendering]) -> Check:
    begun = time.perf_counter()
    command = find_compose()
    if command is None:
        detail = "Docker Compose 2 is not on this machine; only the specification was checked"
        return Check(name="docker compose", detail=detail, skipped=True)
    findings = compose_findings(renderings, command)
    return Check(
        name="docker compose",
        detail=f"`{' '.join(command)} config` reads {_count(renderings)}",
        findings=tuple(merged(findings)),
        seconds=round(time.perf_counter() - begun, 4),
    )


def _count(documents: Sequence[object]) -> str:
    return f"{len(documents)} compose files"
