"""One server: the steps that make, start, stop and change its container.

The caller sees to it that nothing else happens to the same server meanwhile.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.host import CommandError, Disks
from localcloud.host.command import run_async
from localcloud.machines.base import FirewallRule, MachineError, MachineSpec
from localcloud.machines.docker.container import Mounts, create_arguments, size_arguments
from localcloud.machines.docker.engine import ContainerState, Engine
from localcloud.machines.docker.folder import Folder, Surroundings, config_files, seed_files
from localcloud.machines.docker.names import Names
from localcloud.machines.docker.threads import in_thread

ENTRY_SECONDS = 30.0
SHUTDOWN_SECONDS = 90.0
RELEASE_SECONDS = 30
REBOOT_SECONDS = 120.0
ASK_SECONDS = 30.0
POLL_SECONDS = 0.1
POWER_OFF_SIGNAL = "RTMIN+4"


@dataclass(frozen=True)
class Server:
    """A server by its number, whether it exists or not."""

    number: int
    engine: Engine
    names: Names
    home: Path

    @property
    def name(self) -> str:
        """Its container."""
        return self.names.container(self.number)

    @property
    def folder(self) -> Folder:
        """Its folder on this machine."""
        return Folder(self.home / "machines" / str(self.number))

    async def find(self) -> ContainerState | None:
        """The state of its container, or None where there is none."""
        return await self.engine.state(self.name)

    async def state(self) -> ContainerState:
        """The state of its container; raises MachineError where there is none."""
        state = await self.find()
        if state is None:
            raise MachineError(f"there is no server {self.number}")
        return state

    async def make(
        self,
        spec: MachineSpec,
        *,
        image: str,
        disks: Disks,
        source: Path | None,
        surroundings: Surroundings,
        capabilities: tuple[str, ...],
    ) -> None:
        """Make its folder, its disk (with what the disk `source` holds) and its container; it does not run yet."""
        instance = f"{self.names.slug}-{self.number}-{secrets.token_hex(4)}"
        self.folder.write(config_files(spec, surroundings), seed_files(spec, instance))
        disk = await in_thread(disks.create, self.names.slug, str(self.number), source)
        mounts = Mounts(disk=disk, config=self.folder.config, seed=self.folder.seed)
        await self.engine.run(*create_arguments(self.names, spec, image, mounts, capabilities))

    async def remove(self, disks: Disks) -> None:
        """Remove container and disk; the folder stays."""
        await self.engine.run_unless_gone("rm", "--force", "--volumes", self.name)
        await in_thread(disks.delete, self.names.slug, str(self.number))

    async def start(self) -> None:
        """Start it, and wait until its init has begun."""
        await self.state()
        await self.engine.run("start", self.name)

        async def booting() -> bool:
            state = await self.state()
            if state.status == "running":
                return await in_thread(_program, state.pid) == "systemd"
            raise MachineError(f"server {self.number} does not boot: {await self._log()}")

        failure = f"server {self.number} has no init {ENTRY_SECONDS:.0f} s after its start"
        try:
            await _until(booting, ENTRY_SECONDS, failure)
        except MachineError:
            # Docker would go on trying for ever.
            await self.kill()
            raise

    async def kill(self) -> None:
        """End every process of it at once."""
        if not (await self.state()).running:
            return
        try:
            await self.engine.run_unless_gone("kill", self.name)
        except MachineError:
            # It has ended since, or Docker was about to start it again; `stop` copes with both.
            await self.engine.run("stop", "--time=0", self.name)

    async def ask_to_power_off(self) -> None:
        """Ask its init to power off; `until_off` waits for that."""
        if (await self.state()).running:
            await self._ask(["systemctl", "--no-block", "poweroff"])

    async def until_off(self) -> None:
        """Wait until it is off or gone."""

        async def off() -> bool:
            state = await self.find()
            return state is None or not state.running

        await _until(off, SHUTDOWN_SECONDS, f"server {self.number} did not power off in {SHUTDOWN_SECONDS:.0f} s")

    async def reboot(self) -> None:
        """Ask its init to reboot, and wait until it runs again."""
        before = await self.state()
        if not before.running:
            raise MachineError(f"server {self.number} is off, so it cannot reboot")
        await self._ask(["systemctl", "--no-block", "reboot"])

        async def running_again() -> bool:
            now = await self.state()
            return now.status == "running" and now.started_at != before.started_at

        await _until(
            running_again,
            REBOOT_SECONDS,
            f"server {self.number} did not reboot in {REBOOT_SECONDS:.0f} s",
        )

    async def release(self) -> None:
        """Stop it as a machine that shuts down does; what does not stop is killed after half a minute."""
        await self.engine.run("stop", f"--time={RELEASE_SECONDS}", self.name)

    async def snapshot(self, image: str, disks: Disks) -> None:
        """Copy its system and its disk; it goes on running, so the copy is as after a power cut."""
        await self.state()
        label = f"LABEL {self.names.label}"
        await self.engine.run("commit", "--change", label, self.name, self.names.snapshot(image), timeout=600.0)
        await in_thread(disks.copy, self.names.slug, str(self.number), image)

    async def resize(self, spec: MachineSpec, surroundings: Surroundings) -> None:
        """Give it other limits and addresses; it is off."""
        await self.state()
        await self.engine.run("update", *size_arguments(spec.cores, spec.memory_bytes), self.name)
        address = [f"--ip={spec.ipv4}"] if spec.ipv4 else []
        await self.engine.run("network", "disconnect", self.names.network, self.name)
        await self.engine.run("network", "connect", *address, self.names.network, self.name)
        await in_thread(self.folder.write_config, config_files(spec, surroundings))

    async def set_firewall(self, rules: tuple[FirewallRule, ...] | None) -> None:
        """Replace its inbound rules, now and for every start to come."""
        state = await self.state()
        # The file comes first: a server that starts at this moment loads it.
        text = self.folder.write_firewall(rules)
        if state.status == "running":
            try:
                await run_async(["nsenter", f"--target={state.pid}", "--net", "nft", "-f", "-"], stdin=text)
            except CommandError as error:
                raise MachineError(f"the firewall of server {self.number} was not changed: {error}") from error

    async def set_root_password(self, password: str) -> None:
        """Give root another password, which does not expire."""
        if not (await self.state()).running:
            raise MachineError(f"server {self.number} is off, so it cannot take a password")
        await self.engine.execute(self.name, ["chpasswd"], stdin=f"root:{password}\n")

    async def _ask(self, argv: Sequence[str]) -> None:
        """Run a command on it; it may have just started, and its init does not answer yet."""
        deadline = time.monotonic() + ASK_SECONDS
        while True:
            try:
                await self.engine.execute(self.name, argv)
            except MachineError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(POLL_SECONDS)
            else:
                return

    async def _log(self) -> str:
        text = (await self.engine.run("logs", "--tail=5", self.name)).strip()
        return text or "its entry script wrote nothing"


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float, failure: str) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise MachineError(failure)
        await asyncio.sleep(POLL_SECONDS)


def _program(pid: int) -> str:
    """The program that a process runs now; empty where the process is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
