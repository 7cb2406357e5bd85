"""Required settings of every service: secrets from the `.env` file, a health check, a restart policy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clawdet_infra.checks.document import Document, Service
from clawdet_infra.checks.finding import Finding

NEEDED = {
    "gateway": ("ANTHROPIC_API_KEY", "OPENCLAW_GATEWAY_TOKEN"),
    "proxy": ("AUTH_PASSWORD", "OPENCLAW_GATEWAY_TOKEN"),
}
"""The required variables of a customer's services."""

_SECRET = re.compile(r".*_(?:KEY|TOKEN|PASSWORD|SECRET)")
_SLEEPS = ["sleep", "infinity"]


def variables(document: Document) -> Iterator[Finding]:
    """A customer's gateway and proxy get their secrets; the edge proxy has none."""
    for name, needed in NEEDED.items() if not document.edge else ():
        service = document.services.get(name)
        if service is None:
            yield Finding(
                rule="variables",
                message=f"the service `{name}` is missing.",
                hint="Every plan has a gateway and a proxy; add it with its macro in services.j2.",
            )
            continue
        given = environment(service)
        for variable in needed:
            if variable not in given:
                yield Finding(
                    rule="variables",
                    message=f"does not get {variable}.",
                    hint=f"Write `{variable}: ${{{variable}:?is missing in .env}}` under `environment:`.",
                    service=name,
                )


def secrets_from_env_file(name: str, service: Service) -> Iterator[Finding]:
    """A secret comes from the `.env` file, and the deployment fails without it."""
    for variable, value in environment(service).items():
        required = re.fullmatch(rf"\$\{{{re.escape(variable)}:\?[^}}]*\}}", str(value))
        if _SECRET.fullmatch(variable) and not required:
            yield Finding(
                rule="secrets_from_env_file",
                message=f"must read {variable} only from the .env file (the value is not shown).",
                hint=f"Write `{variable}: ${{{variable}:?is missing in .env}}`, which also fails if it is missing.",
                service=name,
            )


def health_check(name: str, service: Service) -> Iterator[Finding]:
    """Every service has a health check, except one that only sleeps."""
    if service.get("entrypoint") == _SLEEPS:
        return
    check = service.get("healthcheck")
    test = check.get("test") if isinstance(check, Mapping) else None
    if not isinstance(check, Mapping) or check.get("disable") or not test or test in ("NONE", ["NONE"]):
        yield Finding(
            rule="health_check",
            message="has no health check: a hang would go unnoticed.",
            hint="Write a `healthcheck:` with test, interval, timeout, retries and start_period.",
            service=name,
        )
        return
    missing = [key for key in ("interval", "timeout", "retries", "start_period") if key not in check]
    if missing:
        yield Finding(
            rule="health_check",
            message=f"has a health check without {', '.join(missing)}: Docker's defaults would apply.",
            hint="Write them under `healthcheck:`.",
            service=name,
        )


def restart_policy(name: str, service: Service) -> Iterator[Finding]:
    """A container restarts when it ends, and after a reboot."""
    if service.get("restart") not in ("unless-stopped", "always"):
        yield Finding(
            rule="restart_policy",
            message="does not restart when it ends or the server reboots.",
            hint="Write `restart: unless-stopped`.",
            service=name,
        )


def self_contained(document: Document) -> Iterator[Finding]:
    """All services are defined in the document itself, so that they are checked."""
    hint = "Write it here: the content of other files is not checked."
    if "include" in document.content:
        yield Finding(rule="self_contained", message="includes another compose file.", hint=hint)
    for name, service in document.services.items():
        for key in ("extends", "env_file", "build"):
            if key in service:
                yield Finding(rule="self_contained", message=f"has `{key}`.", hint=hint, service=name)


def environment(service: Service) -> dict[str, Any]:
    """Return a service's environment; Compose accepts a mapping or a list of NAME=VALUE."""
    given = service.get("environment")
    if isinstance(given, Mapping):
        return dict(given)
    entries = given if isinstance(given, Sequence) and not isinstance(given, str) else ()
    return {name: value for name, _, value in (str(entry).partition("=") for entry in entries)}
