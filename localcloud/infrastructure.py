"""What the servers of a cloud stand on: their network, the image registry, the ACME server, images to start from."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack
from ipaddress import IPv4Address

from localcloud.go_binaries import build_program
from localcloud.host import ensure_docker
from localcloud.images.catalog import build_images
from localcloud.images.publish import publish
from localcloud.machines.base import Machines
from localcloud.machines.docker import DockerMachines
from localcloud.paths import Paths, images_cache
from localcloud.services import acme, registry
from localcloud.services.ca import CertificateAuthority
from localcloud.services.errors import ServiceError
from localcloud.settings import Settings

_PACKAGE_OF = {
    "busybox": "busybox-static",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "mmdebstrap": "mmdebstrap",
    "setpriv": "util-linux",
}


def require_programs() -> None:
    """Raise one ServiceError that names every program that is missing, before minutes go into building."""
    missing = [program for program in _PACKAGE_OF if shutil.which(program) is None]
    if missing:
        packages = " ".join(_PACKAGE_OF[program] for program in missing)
        raise ServiceError(f"{', '.join(missing)} cannot be found; install with: apt-get install {packages}")


class Backbone:
    """Starts it all, each part as soon as what it needs is there."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        authority: CertificateAuthority,
        progress: Callable[[str], None],
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._authority = authority
        self._progress = progress
        self.gateway = IPv4Address(0)
        self.docker_host = ""

    @property
    def registry_address(self) -> str:
        """The registry's name in references of images, the same here and on the servers. It takes no pushes."""
        return f"{self.gateway}:{registry.PORT}"

    @property
    def push_address(self) -> str:
        """Where this machine pushes images to; servers cannot reach it."""
        return f"{registry.LOOPBACK}:{self._settings.push_port}"

    @property
    def acme_directory(self) -> str:
        """Where ACME clients begin."""
        return acme.directory_url(self.gateway)

    async def start(self, stack: AsyncExitStack) -> Machines:
        """Start everything and give `stack` what is to be stopped; the machines can make servers then."""
        require_programs()
        images, pebble, machines = await asyncio.gather(
            asyncio.to_thread(build_images, self._progress),
            asyncio.to_thread(build_program, acme.PROGRAM, self._progress),
            self._prepare_machines(),
        )
        self._progress("starting the image registry and the ACME server")
        folder = self._paths.services
        children = (
            *registry.registries(
                self.gateway, self._settings.push_port, self._authority, images_cache() / "registry", folder
            ),
            acme.acme_server(pebble, self.gateway, self._settings.dns_port, self._authority, folder),
        )
        for child in children:
            stack.push_async_callback(child.stop)
        await asyncio.gather(*(child.start() for child in children))
        root = self._authority.root
        await asyncio.to_thread(publish, self.push_address, root, images, self._progress)
        references = [f"{self.registry_address}/{image.reference}" for image in images]
        machines.use_registry(self.registry_address, root)
        await machines.refresh_golden(references)
        return machines

    async def _prepare_machines(self) -> DockerMachines:
        host = await asyncio.to_thread(ensure_docker)
        self.docker_host = host.host
        machines = DockerMachines(
            self._paths.slug, self._paths.home, host.host, egress=self._settings.egress, progress=self._progress
        )
        self._progress("preparing the network and the servers' image")
        self.gateway = (await machines.prepare()).gateway4
        return machines
