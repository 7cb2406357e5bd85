"""Golden disks: a container like a server pulls images once, and its disk is what new servers start with."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.host import Disks
from localcloud.images.server import Recipe
from localcloud.machines.base import MachineError
from localcloud.machines.docker.container import Mounts, common_arguments
from localcloud.machines.docker.engine import Engine
from localcloud.machines.docker.firewall import ruleset
from localcloud.machines.docker.folder import FIREWALL_FILE, Folder, Registry, Surroundings, registry_files
from localcloud.machines.docker.names import Names
from localcloud.machines.docker.references import Reference, fingerprint, resolve
from localcloud.machines.docker.threads import in_thread

BOOT_SECONDS = 90.0
PULL_SECONDS = 900.0
STOP_SECONDS = 60
POLL_SECONDS = 0.2
DISK = "golden"
# What must differ from server to server, or would tell one about another.
PRIVATE = ("engine-id", "network", "swarm", "tmp")


@dataclass(frozen=True)
class Golden:
    """Makes golden disks for one cloud."""

    engine: Engine
    names: Names
    home: Path
    disks: Disks
    recipe: Recipe
    capabilities: tuple[str, ...]
    progress: Callable[[str], None]

    async def refresh(self, images: Sequence[str], surroundings: Surroundings) -> str:
        """Choose the golden disk that holds `images` for this cloud, after filling it where there is none."""
        assert surroundings.registry is not None
        # A run that was killed may have left these.
        await self._clean_up()
        wanted = await self._fingerprint(images, surroundings.registry)
        if self.disks.golden(wanted) is None:
            self.progress("pulling the images that servers start with (once)")
            await self._fill(wanted, images, surroundings.registry)
        await in_thread(self.disks.choose, self.names.slug, wanted)
        return wanted

    async def _fingerprint(self, images: Sequence[str], registry: Registry) -> str:
        references = [Reference.parse(image) for image in images]
        digests = await asyncio.gather(*(in_thread(resolve, reference, registry.authority) for reference in references))
        return fingerprint(self.recipe.fingerprint, zip(references, digests, strict=True))

    async def _fill(self, wanted: str, images: Sequence[str], registry: Registry) -> None:
        """The container and its own disk are gone afterwards, whatever happened."""
        name, folder = self.names.builder, self._folder
        try:
            disk = await in_thread(self.disks.create, self.names.slug, DISK)
            # Nobody has to reach it, so its firewall lets nothing in.
            folder.write({FIREWALL_FILE: ruleset(()), **registry_files(registry)}, {})
            mounts = Mounts(disk=disk, config=folder.config, seed=folder.seed)
            arguments = common_arguments(self.names, mounts, self.capabilities)
            await self.engine.run("run", "--detach", f"--name={name}", *arguments, self.recipe.image)
            await self._until_docker_answers(name)
            for image in images:
                await self.engine.execute(name, ["docker", "pull", "--quiet", image], timeout=PULL_SECONDS)
            # A clean end, after which everything that the inner Docker knows is on the disk.
            await self.engine.run("stop", f"--time={STOP_SECONDS}", name)
            await self._remove_container()
            await in_thread(_forget, disk)
            await in_thread(self.disks.freeze, self.names.slug, DISK, wanted)
        finally:
            await self._clean_up()

    @property
    def _folder(self) -> Folder:
        return Folder(self.home / "golden")

    async def _clean_up(self) -> None:
        await self._remove_container()
        await in_thread(self.disks.delete, self.names.slug, DISK)
        await in_thread(self._folder.remove)

    async def _remove_container(self) -> None:
        await self.engine.run_unless_gone("rm", "--force", "--volumes", self.names.builder)

    async def _until_docker_answers(self, name: str) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            try:
                await self.engine.execute(name, ["docker", "version"])
            except MachineError as error:
                if time.monotonic() > deadline:
                    raise MachineError(
                        f"Docker in {name}, which pulls images for servers, does not answer after "
                        f"{BOOT_SECONDS:.0f} s: {error}"
                    ) from error
                await asyncio.sleep(POLL_SECONDS)
            else:
                return


def _forget(disk: Path) -> None:
    for entry in PRIVATE:
        path = disk / entry
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
