"""All rules for one compose document, in the order in which they are reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clawdet_infra.checks import duties, hardening
from clawdet_infra.checks.document import Document, Service
from clawdet_infra.checks.finding import Finding

DocumentRule = Callable[[Document], Iterator[Finding]]
ServiceRule = Callable[[str, Service], Iterator[Finding]]

DOCUMENT_DUTIES: tuple[DocumentRule, ...] = (duties.variables, duties.self_contained)
SERVICE_DUTIES: tuple[ServiceRule, ...] = (duties.secrets_from_env_file, duties.health_check, duties.restart_policy)
HARDENING: tuple[ServiceRule, ...] = (
    hardening.capabilities,
    hardening.privileges,
    hardening.read_only,
    hardening.limits,
    hardening.host_namespaces,
    hardening.docker_socket,
    hardening.mounts,
    hardening.log_limits,
    hardening.published_ports,
    hardening.pinned_image,
)


def duties_of(document: Document) -> Iterator[Finding]:
    """Yield missing settings of services: secrets, health checks, restart policies."""
    for rule in DOCUMENT_DUTIES:
        yield from rule(document)
    yield from _of_each_service(document, SERVICE_DUTIES)


def hardening_of(document: Document) -> Iterator[Finding]:
    """Yield violations of the hardening rules."""
    yield from _of_each_service(document, HARDENING)


def _of_each_service(document: Document, rules: tuple[ServiceRule, ...]) -> Iterator[Finding]:
    for name, service in document.services.items():
        for rule in rules:
            yield from rule(name, service)
