"""Takes up what a killed update has left behind, with Pulumi's own commands; see `pending_operations`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawdet_infra.engine.pending_operations import PendingCreate, adopt, find_made, pending_creates
from clawdet_infra.engine.process import BACKEND, PROJECT
from clawdet_infra.engine.stack_locks import Lock, read_locks, remove_dead
from clawdet_infra.engine.temporary import private_folder

Find = Callable[[Sequence[PendingCreate]], dict[str, str]]
"""Which creations did happen at the cloud: URN → id."""


class LockedError(Exception):
    """A stack is being updated by a process that lives, or of which that is not known: the holder of `lock`."""

    def __init__(self, stack: str, lock: Lock) -> None:
        self.lock = lock
        gone = "" if lock.alive else f" If you know that it is gone, run: pulumi cancel --stack {stack}"
        super().__init__(
            f"stack {stack} is being updated by {lock.holder}, since {lock.taken:%F %T} UTC. "
            f"Wait for it, as `clawdet up -s {stack} --wait` does.{gone}"
        )


@dataclass(frozen=True)
class Recovered:
    """What was done: whether a lock was freed, and the URNs of what was taken over.

    `state` is the stack's exported state; None where recovery has changed it after it was read.
    """

    lock_freed: bool
    adopted: tuple[str, ...]
    state: Mapping[str, Any] | None = None


def recover(
    stack: str, pulumi: Callable[[Sequence[str]], str], find: Find, tell: Callable[[str], None] = lambda _: None
) -> Recovered:
    """Free the lock of a dead update, and take over what it had made already.

    `pulumi` runs a command of the engine and returns what it prints.  Raises LockedError, and whatever
    `pulumi` and `find` do.
    """
    freed = _free_dead_lock(stack, tell)
    exported: dict[str, Any] = json.loads(pulumi(["stack", "export", "--stack", stack]))
    if not (exported.get("deployment") or {}).get("pending_operations"):
        return Recovered(freed, (), exported)
    return Recovered(freed, tuple(_adopt(stack, exported, pulumi, find, tell)))


class CloudError(Exception):
    """The cloud could not be asked what a killed update had made; the text says why."""


def find_at(endpoint: str, token: str, labels: dict[str, str]) -> Find:
    """Return what looks for creations at a cloud, among the things with these labels; it raises CloudError."""

    def find(creates: Sequence[PendingCreate]) -> dict[str, str]:
        # Imported where it is needed: it takes half a second, and most updates were not killed.
        from hcloud import APIException, Client, HCloudException
        from requests import RequestException

        try:
            return find_made(Client(token=token, api_endpoint=endpoint), creates, labels)
        except APIException as error:
            raise CloudError(f"Hetzner answered: {error.message} ({error.code})") from None
        except (HCloudException, RequestException) as error:
            raise CloudError(f"{endpoint} does not answer: {error}") from None

    return find


def refuse_locked(stack: str) -> list[Lock]:
    """Return the locks of a stack, all of them dead.  Raises LockedError where one is not known to be."""
    locks = read_locks(os.environ.get(BACKEND, ""), PROJECT, stack)
    for lock in locks:
        if not lock.dead:
            raise LockedError(stack, lock)
    return locks


def _free_dead_lock(stack: str, tell: Callable[[str], None]) -> bool:
    locks = refuse_locked(stack)
    if locks:
        tell(f"The update that held the lock of {stack} is gone; freeing the lock.")
        # Not `pulumi cancel`: it frees every lock, also one that another update has taken since.
        remove_dead(os.environ.get(BACKEND, ""), PROJECT, stack, locks)
    return bool(locks)


def _adopt(
    stack: str,
    exported: Mapping[str, Any],
    pulumi: Callable[[Sequence[str]], str],
    find: Find,
    tell: Callable[[str], None],
) -> list[str]:
    """Take what pending creations had made into the state, and forget those that made nothing."""
    creates = pending_creates(exported)
    found = find(creates) if creates else {}
    for create in creates:
        fate = f"exists ({found[create.urn]}) and is taken over" if create.urn in found else "had not been made"
        tell(f"{create.logical_name}: {fate}.")
    # Secrets are encrypted in it as they are in the backend; the folder is nobody else's all the same.
    with private_folder() as folder:
        file = folder / "state.json"
        file.write_text(json.dumps(adopt(exported, found)), encoding="utf-8")
        pulumi(["stack", "import", "--stack", stack, "--file", str(file)])
    if found:
        targets = [f"--target={urn}" for urn in sorted(found)]
        pulumi(["refresh", "--stack", stack, "--yes", "--skip-preview", *targets])
    return sorted(found)
