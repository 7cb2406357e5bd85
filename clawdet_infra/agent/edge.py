"""The edge proxy of a shared host, and how customers are joined to it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clawdet_infra.agent.commands import must, run
from clawdet_infra.agent.containers import Project
from clawdet_infra.agent.errors import DeploymentError
from clawdet_infra.agent.names import owned
from clawdet_infra.agent.proxy import RELOAD
from clawdet_infra.agent.server import lock_file, locked

_LOCK_SECONDS = 120
_TENANTS = "label=clawdet.edge=tenant"
_CERTIFICATES = "certificates"  # What the edge's compose.yaml calls the volume in which Caddy keeps them.
_SITE = re.compile(r"([a-z0-9.-]+) \{\n")


def attach(edge: Mapping[str, Any]) -> None:
    """Join a customer to the edge: its network, then its site.

    A site that the proxy refuses is taken back, so that one customer's mistake never stops the others' proxy.  A name
    that passes from one customer of the host to another is taken from the first, whose own deployment brings the new
    one: the proxy refuses two sites of one name, and of two who exchange their names one comes first.
    """
    with locked(lock_file(Path(edge["directory"]).parent, ".edge"), seconds=_LOCK_SECONDS):
        proxy = _proxy(edge)
        if proxy is None:
            raise DeploymentError("the shared host's edge proxy is not running")
        _connect(edge["network"], proxy)
        file = _site(edge)
        before = file.read_text() if file.exists() else None
        others = _of_the_same_name(file, edge["site"])
        # These first: with two sites of one name the proxy would not even start.
        for other in others:
            other.unlink()
        _write(file, edge["site"])
        answer = run(["docker", "exec", proxy, *RELOAD], seconds=60)
        if not answer.ok:
            if before is None:
                file.unlink()
            else:
                _write(file, before)
            for other, content in others.items():
                _write(other, content)
            raise DeploymentError(f"the edge proxy refused the customer's site: {answer.said}")
        if before not in (None, edge["site"]):
            _forget_certificates(edge["project"], Path(edge["directory"]))


def detach(edge: Mapping[str, Any]) -> None:
    """Take a customer's site, network, certificate and key away from the edge."""
    with locked(lock_file(Path(edge["directory"]).parent, ".edge"), seconds=_LOCK_SECONDS):
        _site(edge).unlink(missing_ok=True)
        proxy = _proxy(edge)
        if proxy is not None:
            must(["docker", "exec", proxy, *RELOAD], seconds=60, doing="reloading the edge proxy")
            run(["docker", "network", "disconnect", "--force", edge["network"], proxy], seconds=30)
        # After the proxy has forgotten the site, or it would ask for a new certificate.
        _forget_certificates(edge["project"], Path(edge["directory"]))


def join_all(project: Project, directory: Path) -> None:
    """Join a new edge proxy to the networks of all customers on the host."""
    with locked(lock_file(directory.parent, ".edge"), seconds=_LOCK_SECONDS):
        proxy = project.container("edge")
        if proxy is None:
            raise DeploymentError("the edge proxy is not running")
        networks = must(
            ["docker", "network", "ls", "--filter", _TENANTS, "--format", "{{.Name}}"],
            seconds=30,
            doing="listing networks",
        )
        for network in networks.split():
            _connect(network, proxy)
        must(["docker", "exec", proxy, *RELOAD], seconds=60, doing="reloading the edge proxy")
        _forget_certificates(project.name, directory)


def _forget_certificates(project: str, directory: Path) -> None:
    """Delete the certificates and keys of names that no site has any more, which Caddy would keep for ever.

    Deletes none where a site's name cannot be told. The caller holds the edge's lock.
    """
    firsts = [_SITE.match(file.read_text()) for file in sites(directory).glob("*.caddy")]
    names = {first[1] for first in firsts if first}
    if None in firsts:
        return
    volume = owned(project, _CERTIFICATES)
    found = run(["docker", "volume", "inspect", "--format", "{{.Mountpoint}}", volume], seconds=30)
    if not found.ok:  # Without a volume there is nothing in it.
        return
    # One folder for each authority, and in it one for each name.
    for folder in Path(found.output.strip()).glob("caddy/certificates/*/*"):
        if folder.name not in names:
            shutil.rmtree(folder)


def sites(directory: Path) -> Path:
    """Return the folder of the sites, made where it is missing."""
    folder = directory / "sites"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _proxy(edge: Mapping[str, Any]) -> str | None:
    directory = Path(edge["directory"])
    return Project(edge["project"], directory, directory / "current").container("edge")


def _site(edge: Mapping[str, Any]) -> Path:
    return sites(Path(edge["directory"])) / str(edge["file"])


def _of_the_same_name(file: Path, site: str) -> dict[Path, str]:
    """Return the sites of other customers that have the name of a site, with their content."""
    name = _SITE.match(site)
    others = {other: other.read_text() for other in file.parent.glob("*.caddy") if other != file}
    return {
        other: text for other, text in others.items() if name and (first := _SITE.match(text)) and first[1] == name[1]
    }


def _write(file: Path, content: str) -> None:
    new = file.with_name(f".{file.name}.new")
    new.write_text(content)
    new.rename(file)


def _connect(network: str, proxy: str) -> None:
    answer = run(["docker", "network", "connect", network, proxy], seconds=60)
    if not answer.ok and "already exists" not in answer.errors:
        raise DeploymentError(f"joining the edge proxy to the network {network} failed: {answer.said}")
