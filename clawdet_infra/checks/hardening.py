"""Hardening rules of containers: what none may do, and limits that all must have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from clawdet_infra.checks.document import Service
from clawdet_infra.checks.finding import Finding
from clawdet_infra.config import parse_image

ALLOWED_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
PUBLISHED_PORTS = frozenset({"80", "443"})

_HOST_NAMESPACES = ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup")
_RUNTIME_SOCKET = re.compile(r"(?:docker|containerd|podman|crio)[\w.-]*\.sock$")
_OWN_FILES = ("./config/", "./live", "./sites")


def capabilities(name: str, service: Service) -> Iterator[Finding]:
    """All capabilities are dropped; only the one for ports below 1024 may be added."""
    dropped = {_capability(one) for one in _items(service.get("cap_drop"))}
    if "ALL" not in dropped:
        yield _finding("capabilities", name, "keeps Docker's capabilities.", "Write `cap_drop: [ALL]`.")
    added = {_capability(one) for one in _items(service.get("cap_add"))} - ALLOWED_CAPABILITIES
    if added:
        yield _finding(
            "capabilities",
            name,
            f"is given {', '.join(sorted(added))}.",
            f"Remove it from `cap_add`; allowed is {', '.join(sorted(ALLOWED_CAPABILITIES))}.",
        )


def privileges(name: str, service: Service) -> Iterator[Finding]:
    """No container is privileged, has a device of the host, or can gain privileges."""
    if service.get("privileged"):
        yield _finding("privileges", name, "is privileged, which is root on the server.", "Remove `privileged`.")
    for key in ("devices", "device_cgroup_rules"):
        if service.get(key):
            yield _finding("privileges", name, f"has devices of the server (`{key}`).", "Remove them.")
    options = [str(one).replace("=", ":") for one in _items(service.get("security_opt"))]
    if not {"no-new-privileges:true", "no-new-privileges"} & set(options):
        yield _finding(
            "privileges",
            name,
            "could gain privileges by a setuid program.",
            'Write `security_opt: ["no-new-privileges:true"]`.',
        )
    for option in options:
        if option.endswith(":unconfined") or option == "label:disable":
            yield _finding("privileges", name, f"disables a protection: `{option}`.", "Remove it.")


def read_only(name: str, service: Service) -> Iterator[Finding]:
    """No container can write to its own image."""
    if service.get("read_only") is not True:
        yield _finding(
            "read_only",
            name,
            "can write to its own image.",
            "Write `read_only: true`, with a `tmpfs` where it needs to write.",
        )


def limits(name: str, service: Service) -> Iterator[Finding]:
    """Processor time, memory, swap and processes of each container are limited."""
    for key, what in (("cpus", "processor time"), ("mem_limit", "memory"), ("pids_limit", "processes")):
        if not _positive(service.get(key)):
            yield _finding("limits", name, f"has no limit on its {what}.", f"Write `{key}:` with a positive number.")
    if _positive(service.get("mem_limit")) and service.get("memswap_limit") != service.get("mem_limit"):
        yield _finding(
            "limits",
            name,
            "may swap for hours instead of being restarted.",
            "Write `memswap_limit:` with the value of `mem_limit`.",
        )


def host_namespaces(name: str, service: Service) -> Iterator[Finding]:
    """No container shares the network, processes or users of the server."""
    for key in _HOST_NAMESPACES:
        if service.get(key) == "host":
            yield _finding("host_namespaces", name, f"shares the server's own with `{key}: host`.", "Remove it.")


def docker_socket(name: str, service: Service) -> Iterator[Finding]:
    """No container can control Docker, because that is root on the server."""
    if service.get("use_api_socket") or any(_RUNTIME_SOCKET.search(source) for source, _ in _mounts(service)):
        yield _finding("docker_socket", name, "has Docker's socket, which is root on the server.", "Remove it.")


def mounts(name: str, service: Service) -> Iterator[Finding]:
    """A container mounts only its own deployment's files of the server, read-only."""
    for source, writable in _mounts(service):
        if not source.startswith((".", "/", "~", "$")) or _RUNTIME_SOCKET.search(source):
            continue  # A volume, or a mount that another rule reports.
        if not source.startswith(_OWN_FILES) or ".." in source.split("/"):
            yield _finding(
                "mounts", name, f"mounts `{source}` of the server.", "Mount files of the bundle with `mount(…)`."
            )
        elif writable:
            yield _finding("mounts", name, f"can write to `{source}` of the server.", "Write `:ro` at its end.")


def log_limits(name: str, service: Service) -> Iterator[Finding]:
    """A container's log cannot fill the disk."""
    logging = service.get("logging")
    options = logging.get("options") if isinstance(logging, Mapping) else None
    driver = logging.get("driver") if isinstance(logging, Mapping) else None
    bounded = isinstance(options, Mapping) and {"max-size", "max-file"} <= options.keys()
    if not bounded or driver not in ("json-file", "local"):
        yield _finding(
            "log_limits",
            name,
            "could fill the disk with its log.",
            'Write `logging:` with `driver: json-file` and `options: {max-size: 10m, max-file: "3"}`.',
        )


def published_ports(name: str, service: Service) -> Iterator[Finding]:
    """Only HTTP and HTTPS are published; other ports stay in the deployment's own network."""
    for port in sorted({_published(entry) for entry in _items(service.get("ports"))} - PUBLISHED_PORTS):
        yield _finding(
            "published_ports",
            name,
            f"publishes {f'port {port}' if port else 'a port that Docker chooses'}.",
            "Only a proxy's ports 80 and 443 may be published; remove it from `ports`.",
        )


def pinned_image(name: str, service: Service) -> Iterator[Finding]:
    """Each image has a digest, or a tag that does not move."""
    hint = "Name it as REGISTRY/NAME:VERSION or with @sha256:…, under `clawdet:release`."
    try:
        image = parse_image(str(service.get("image")))
    except ValueError:
        image = None
    if image is None or not service.get("image"):
        yield _finding("pinned_image", name, "has no valid image.", hint)
    elif image.digest is None and image.tag in (None, "latest"):
        yield _finding("pinned_image", name, "runs `latest`, which is an unknown version.", hint)


def _finding(rule: str, service: str, message: str, hint: str) -> Finding:
    return Finding(rule=rule, message=message, hint=hint, service=service)


def _items(value: Any) -> list[Any]:
    """Return the entries of a list; none for other values, which the schema reports."""
    return list(value) if isinstance(value, list | tuple) else []


def _capability(entry: Any) -> str:
    return str(entry).upper().removeprefix("CAP_")


def _positive(value: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:[bkmg]b?)?", str(value).strip().lower())
    return match is not None and float(match[1]) > 0


def _mounts(service: Service) -> Iterator[tuple[str, bool]]:
    """Yield the source of each mount and whether it is writable, from the short and the long syntax."""
    for entry in _items(service.get("volumes")):
        if isinstance(entry, Mapping):
            yield str(entry.get("source", "")), not entry.get("read_only")
        else:
            source, _, rest = str(entry).partition(":")
            yield source, "ro" not in rest.rpartition(":")[2].split(",")


def _published(entry: Any) -> str:
    """Return the server's port that an entry publishes; "" if Docker chooses one."""
    if isinstance(entry, Mapping):
        return str(entry.get("published", ""))
    parts = str(entry).partition("/")[0].rsplit(":", 2)
    return parts[-2] if len(parts) > 1 else ""
