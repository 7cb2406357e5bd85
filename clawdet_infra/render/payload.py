"""The input of one deployment on a server: a short public command, and the payload, which is sent by stdin.

The agent that runs the command is copied before: see `clawdet_infra.agent.package`.
"""

from __future__ import annotations

import base64
import bz2
import hashlib
import json
import re
import shlex
from typing import Any

from clawdet_infra.agent import names, package
from clawdet_infra.agent.names import COMPILE_CACHE
from clawdet_infra.config.servers import EDGE_PROJECT, SERVER_ROOT
from clawdet_infra.layout import CustomerLayout, HostLayout
from clawdet_infra.render.bundle import COMPOSE_FILE, Bundle, BundleFile, site

START_SECONDS = 240
"""The time limit of a new release, from its containers' start until the gateway is ready."""

_CONFIG_FOLDER = re.compile(r"config/[0-9a-f]{16}/")
_SERVICES = re.compile(r"^services:\n((?:  .*\n)*)", re.MULTILINE)
_SERVICE = re.compile(r"^  ([a-z]+):\n((?:    .*\n)*)", re.MULTILINE)
_JOINED = re.compile(r"^    network_mode: service:([a-z]+)$", re.MULTILINE)


def agent_path(project: str) -> str:
    """Return the path on a server of this checkout's agent, for a deployment."""
    return names.agent(package.build().digest, project)


def remove_command(agent: str = names.AGENT) -> str:
    """Return the command that removes a deployment with the agent at a path; it reads the payload from stdin."""
    return f"exec python3 -I {agent} remove"


def deploy_command(summary: str, agent: str) -> str:
    """Return the command that deploys with the agent at a path; it reads the payload from stdin.

    It begins with `summary` as comments, for reviewers of a preview.
    """
    notes = "".join(f"# {line}\n" for line in summary.splitlines())
    missing = f"{agent} is not on this server, which was set up again since: replace the resource that copies it there"
    check = f"[ -e {agent} ] || {{ echo {shlex.quote(missing)} >&2; exit {names.AGENT_MISSING}; }}"
    return f"{notes}{check}\nexec python3 -I {agent} deploy"


def summary(customer: CustomerLayout, bundle: Bundle) -> str:
    """Return the summary of a customer's deployment for reviewers: lines of text without secrets."""
    limits = {"gateway": customer.limits, "browser": customer.browser_limits}
    return "\n".join(
        [
            f"customer: {customer.id}",
            f"plan: {customer.plan.name}",
            f"url: {customer.url}",
            *(
                f"{name}: {limit.cpus:g} cpus, {limit.memory} MiB, {limit.pids} processes"
                for name, limit in limits.items()
                if limit is not None
            ),
            *_release_lines(bundle),
        ]
    )


def host_summary(host: HostLayout, bundle: Bundle) -> str:
    """Return the summary of a shared host's edge proxy for reviewers."""
    return "\n".join([f"shared host: {host.id}", *_release_lines(bundle)])


def payload(customer: CustomerLayout, bundle: Bundle, environment: str, *, start_seconds: int = START_SECONDS) -> str:
    """Return the secret input of a customer's deployment, or of its removal."""
    shared = not customer.plan.dedicated
    return _payload(
        bundle,
        name=f"customer {customer.id}",
        kind="customer",
        project=customer.slug,
        directory=customer.directory,
        # Not for the server: the state then shows what is deployed, also after an update that failed for others.
        instance={
            "url": customer.url,
            "plan": customer.plan.name,
            "host": customer.server_name,
            "image": bundle.images["gateway"],
            "user": customer.user,
        },
        environment=environment,
        start_seconds=start_seconds,
        edge=(
            {
                "project": EDGE_PROJECT,
                "directory": f"{SERVER_ROOT}/{EDGE_PROJECT}",
                "network": names.owned(customer.slug, "edge"),
                "file": names.site(customer.slug),
                "site": site(customer),
            }
            if shared
            else None
        ),
    )


def host_payload(host: HostLayout, bundle: Bundle, *, start_seconds: int = START_SECONDS) -> str:
    """Return the input of the deployment of a shared host's edge proxy."""
    return _payload(
        bundle,
        name=f"shared host {host.id}",
        kind="host",
        project=host.project,
        directory=host.directory,
        instance={"host": host.server_name},
        environment="",
        start_seconds=start_seconds,
        edge=None,
    )


def _payload(bundle: Bundle, **fields: Any) -> str:
    # The compose file contains the images too, so compressed together with it they need almost no space.
    inner = {"files": {path: _file(file) for path, file in sorted(bundle.files.items())}, "images": dict(bundle.images)}
    # bzip2 gives the same bytes on every machine; zlib's variants differ, and a changed payload is a deployment.
    packed = base64.b85encode(bz2.compress(json.dumps(inner).encode())).decode()
    return json.dumps({**fields, "digest": bundle.digest, "compile_cache": bundle.compile_cache, "packed": packed})


def _file(file: BundleFile) -> dict[str, Any]:
    content = {"content": file.content} if file.shared is None else {"shared": file.shared}
    return {**content, "mode": file.mode}


def _release_lines(bundle: Bundle) -> list[str]:
    return [
        *(f"{role} image: {image}" for role, image in bundle.images.items()),
        # From these a preview derives which containers are recreated, and who is interrupted.
        f"services: {', '.join(f'{name} {mark}' for name, mark in _service_marks(bundle).items())}",
        f"release: {bundle.digest[:16]}",
        # From these a preview distinguishes a new template from new images or secrets.  They contain no secret.
        f"files: {', '.join(f'{name} {mark}' for name, mark in _file_marks(bundle).items())}",
        f"program: {package.build().digest[:8]}",
    ]


def _service_marks(bundle: Bundle) -> dict[str, str]:
    """Return by service a short digest of everything but secrets whose change makes Compose recreate the container."""
    body = _SERVICES.search(bundle.files[COMPOSE_FILE].content)
    sections = dict(_SERVICE.findall(body[1] if body else ""))
    marks = {}
    for name, section in sections.items():
        # A container that shares another's network is recreated with it.
        joined = _JOINED.search(section)
        content = section + (sections.get(joined[1], "") if joined else "")
        marks[name] = hashlib.sha256(content.encode()).hexdigest()[:8]
    return marks


def _file_marks(bundle: Bundle) -> dict[str, str]:
    """Return a short digest of each file by name, excluding what other lines show: images, and other files' names."""
    marks = {}
    for path, file in sorted(bundle.files.items()):
        content = file.content
        if path == COMPOSE_FILE:
            for role, image in bundle.images.items():
                content = content.replace(image, role)
            # Its name follows from the gateway's image.
            content = content.replace(bundle.compile_cache or COMPILE_CACHE, COMPILE_CACHE)
            content = _CONFIG_FOLDER.sub("config/", content)
        marks[path.rpartition("/")[2]] = hashlib.sha256(content.encode()).hexdigest()[:8]
    return marks
