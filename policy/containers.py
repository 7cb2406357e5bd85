"""Policies of containers: images, memory and hardening."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from clawdet_infra.checks import Finding, hardening_of
from clawdet_infra.checks.duties import self_contained
from clawdet_infra.config import parse_image
from clawdet_infra.config.plan import LEAST_BROWSER_MEMORY, LEAST_GATEWAY_MEMORY
from clawdet_infra.resources import REMOTE_COMMAND
from policy.deployments import Deployment, UnreadableError, deployment_of
from policy.resources import Resource, of_each

LEAST_MEMORY = {"gateway": LEAST_GATEWAY_MEMORY, "browser": LEAST_BROWSER_MEMORY}
"""The minimum MiB of memory by service, for every plan."""

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[bkmg]?)b?")
_MEBIBYTES = {"": 2**-20, "b": 2**-20, "k": 2**-10, "m": 1.0, "g": 2.0**10}


def images_without_digest(deployment: Deployment) -> Iterator[str]:
    """Every image has a digest, so that the preview shows the exact images."""
    for name, service in deployment.document.services.items():
        reference = str(service.get("image"))
        try:
            digest = parse_image(reference).digest
        except ValueError:
            digest = None
        if digest is None:
            yield (
                f"service {name}: the image {reference!a} has no digest, so it could change without a preview. "
                "Pin it with `ImagePins` of the program, or write NAME:TAG@sha256:… in `clawdet:release`."
            )


def too_little_memory(deployment: Deployment) -> Iterator[str]:
    """No service has less than its minimum memory, whatever the plan."""
    services = deployment.document.services
    for name, least in LEAST_MEMORY.items():
        memory = mebibytes(services[name].get("mem_limit")) if name in services else None
        if memory is not None and memory < least:
            yield (
                f"service {name}: {memory:g} MiB of memory are under the minimum of {least} MiB; it would fail in use. "
                "Raise `limits.memory` of the customer, or `memory` of its plan in `clawdet:plans`."
            )


def weak_services(deployment: Deployment) -> Iterator[str]:
    """Every service passes the hardening rules, and all services are defined in the compose file."""
    findings: list[Finding] = [*hardening_of(deployment.document), *self_contained(deployment.document)]
    for finding in findings:
        yield f"{finding} The service's template is in templates/."


def mebibytes(size: Any) -> float | None:
    """Return a size in Compose's syntax, in MiB; None if it is invalid, which the hardening rules report."""
    match = _SIZE.fullmatch(str(size).strip().lower())
    return float(match["number"]) * _MEBIBYTES[match["unit"]] if match else None


def _of_deployments(rule: Callable[[Deployment], Iterator[str]]) -> Callable[[Resource], Iterator[str]]:
    def of_resource(resource: Resource) -> Iterator[str]:
        try:
            deployment = deployment_of(resource)
        except UnreadableError as error:
            yield (
                f"resource {resource.name}: {error}, so it cannot be checked. "
                "Update policy/deployments.py to match clawdet_infra/render/payload.py."
            )
            return
        if deployment is not None:
            for message in rule(deployment):
                yield f"{deployment.owner}, resource {resource.name}: {message}"

    return of_resource


IMAGES = of_each(
    "images-pinned-by-digest",
    "Containers run images that are named by their digest.",
    (REMOTE_COMMAND,),
    _of_deployments(images_without_digest),
)
MEMORY = of_each(
    "memory-not-under-the-minimum",
    "No gateway or browser has less memory than it takes to work.",
    (REMOTE_COMMAND,),
    _of_deployments(too_little_memory),
)
HARDENING = of_each(
    "services-hardened",
    "Containers have no privileges, cannot write to their image, are bounded, and share nothing of their server.",
    (REMOTE_COMMAND,),
    _of_deployments(weak_services),
)
