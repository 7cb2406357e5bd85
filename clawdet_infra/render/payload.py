"""What travels to a server: a short command that may be seen, and the payload, which goes by stdin."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from typing import Any

from clawdet_infra import remote
from clawdet_infra.layout import CustomerLayout, HostLayout
from clawdet_infra.model.servers import EDGE_PROJECT, SERVER_ROOT
from clawdet_infra.remote import names
from clawdet_infra.remote.names import COMPILE_CACHE
from clawdet_infra.render.bundle import COMPOSE_FILE, Bundle, site
from clawdet_infra.render.server import FIREWALL_PROGRAM, FIREWALL_RULES_TEXT, FIREWALL_UNIT, FIREWALL_UNIT_TEXT
from clawdet_infra.render.templates import bare, text

START_SECONDS = 240
"""How long a new release may take from its containers' start until the gateway is ready."""

# Where the guard is on a server; its service names the program too.
_GUARD = {"program": "/usr/local/lib/clawdet/guard.pyz", "units": "/etc/systemd/system"}
# Only hosts that customers share have more networks than Docker has addresses for.
_DOCKER_SETTINGS = "/etc/docker/daemon.json"
_FIREWALL = {
    "program": FIREWALL_PROGRAM,
    "unit": FIREWALL_UNIT,
    "installed": "/usr/local/lib/clawdet/firewall.installed",
}
_CONFIG_FOLDER = re.compile(r"config/[0-9a-f]{16}/")
_SERVICES = re.compile(r"^services:\n((?:  .*\n)*)", re.MULTILINE)
_SERVICE = re.compile(r"^  ([a-z]+):\n((?:    .*\n)*)", re.MULTILINE)
_JOINED = re.compile(r"^    network_mode: service:([a-z]+)$", re.MULTILINE)
_GUARD_UNITS = ("clawdet-guard.service", "clawdet-guard.timer")

_LOAD = "import json,sys; p=json.load(sys.stdin);"
_RUN = 'exec(compile(p["program"],"deploy.py","exec"),{"__name__":"__main__","payload":p})'

REMOVE_COMMAND = f'exec python3 -c \'{_LOAD} p["action"]="remove"; {_RUN}\''
"""Undoes a deployment, given the payload of that deployment on stdin."""


def deploy_command(summary: str) -> str:
    """Return the command that deploys a payload given on stdin; `summary` is put above it for readers of a preview."""
    notes = "".join(f"# {line}\n" for line in summary.splitlines())
    return f"{notes}exec python3 -c '{_LOAD} {_RUN}'"


def summary(customer: CustomerLayout, bundle: Bundle) -> str:
    """Return what a reviewer should see of a customer's deployment: lines of text without secrets."""
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
    """Return what a reviewer should see of a shared host's edge proxy."""
    return "\n".join([f"shared host: {host.id}", *_release_lines(bundle)])


def payload(customer: CustomerLayout, bundle: Bundle, environment: str, *, start_seconds: int = START_SECONDS) -> str:
    """Return the secret input of a customer's deployment, or of its removal."""
    shared = not customer.plan.dedicated
    return _payload(
        bundle,
        name=f"customer {customer.id}",
        kind="customer",
        docker_settings=None,
        project=customer.slug,
        directory=customer.directory,
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
        docker_settings=_DOCKER_SETTINGS,
        project=host.project,
        directory=host.directory,
        environment="",
        start_seconds=start_seconds,
        edge=None,
    )


def _payload(bundle: Bundle, **fields: Any) -> str:
    files = {path: {"content": file.content, "mode": file.mode} for path, file in sorted(bundle.files.items())}
    return json.dumps(
        {
            "action": "deploy",
            **fields,
            "digest": bundle.digest,
            "compile_cache": bundle.compile_cache,
            "guard": _GUARD,
            "firewall": _FIREWALL,
            # The compose file names the images too, so that packed with it they take next to no room.
            **remote.program(files=files, images=dict(bundle.images), **_system()),
        }
    )


def _release_lines(bundle: Bundle) -> list[str]:
    return [
        *(f"{role} image: {image}" for role, image in bundle.images.items()),
        # By these a preview tells which containers are made anew, and who is without an answer meanwhile.
        f"services: {', '.join(f'{name} {mark}' for name, mark in _service_marks(bundle).items())}",
        f"release: {bundle.digest[:16]}",
        # By these a preview tells a new template from new images or secrets.  None of it holds a secret.
        f"files: {', '.join(f'{name} {mark}' for name, mark in _file_marks(bundle).items())}",
        f"program: {_program_mark()}",
    ]


def _service_marks(bundle: Bundle) -> dict[str, str]:
    """Return by service a short digest of all but secrets that Compose makes a container anew for."""
    body = _SERVICES.search(bundle.files[COMPOSE_FILE].content)
    sections = dict(_SERVICE.findall(body[1] if body else ""))
    marks = {}
    for name, section in sections.items():
        # What shares the network of another container is made anew with that one.
        joined = _JOINED.search(section)
        content = section + (sections.get(joined[1], "") if joined else "")
        marks[name] = hashlib.sha256(content.encode()).hexdigest()[:8]
    return marks


def _file_marks(bundle: Bundle) -> dict[str, str]:
    """Return a short digest of each file by its name, without what other lines say: images, and other files' names."""
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


def _system() -> dict[str, Any]:
    """Return what every deployment brings to a server: the guard's units, and the containers' firewall."""
    return {
        "guard_units": {name: bare(name, text(f"host/{name}")) for name in _GUARD_UNITS},
        "firewall_rules": bare(FIREWALL_RULES_TEXT, text(f"host/{FIREWALL_RULES_TEXT}")),
        "firewall_unit": bare(FIREWALL_UNIT_TEXT, text(f"host/{FIREWALL_UNIT_TEXT}")),
    }


@functools.cache
def _program_mark() -> str:
    """Return a short digest of what runs on a server: the deployment's program, its guard, and the firewall."""
    program = json.dumps([remote.program(files={}, **_system()), _GUARD, _FIREWALL])
    return hashlib.sha256(program.encode()).hexdigest()[:8]
