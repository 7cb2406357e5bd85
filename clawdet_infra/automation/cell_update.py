"""One update of a cell: from what the catalog wants to what there is, customer by customer."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError, ConcurrentUpdateError, StackNotFoundError
from pydantic import SecretStr

from clawdet_infra.automation import cleanup
from clawdet_infra.automation.base import Base
from clawdet_infra.automation.error_mapping import code_of
from clawdet_infra.automation.errors import SetupError
from clawdet_infra.automation.exclusions import aside
from clawdet_infra.automation.progress import UpdateProgress
from clawdet_infra.catalog import Applied, Desired, DesiredState
from clawdet_infra.catalog.errors import rebuild_hint
from clawdet_infra.config import ConfigurationError, Encrypted, Fleet, slug_of
from clawdet_infra.engine.deleted_servers import forget, gone_servers
from clawdet_infra.engine.engine import Command, Engine
from clawdet_infra.engine.errors import explain
from clawdet_infra.engine.output import Failure, printed_failure
from clawdet_infra.engine.recovery import CloudError, find_at, recover
from clawdet_infra.engine.stages import Passed
from clawdet_infra.engine.state import resources_of_state
from clawdet_infra.engine.state_export import commands_of, customers_of, facts_of, resources_of
from clawdet_infra.engine.temporary import private_folder
from clawdet_infra.error_line import FailureCode
from clawdet_infra.hosts import HostError
from clawdet_infra.hosts.hetzner import Provider, ProviderError
from clawdet_infra.layout import Layout, plan_layout
from clawdet_infra.preview.engine_plan import Previewed
from clawdet_infra.program import BaseOutputs, declare_cell
from clawdet_infra.redaction import Redactor
from clawdet_infra.resources import CELL_LABEL


class UpdateInProgressError(Exception):
    """Another update of the cell runs; with backends whose locks are no files, this is how that is known."""


OnPassed = Callable[[str, Passed], None]


def folder_of(root: Path, cell: str) -> Path:
    """Return where the engine keeps what it needs of a cell beside the state; it can be lost."""
    return root / ".clawdet" / "cells" / cell


def policy_pack(root: Path) -> list[str]:
    """Return the policies that every update is held against."""
    pack = Path(__file__).resolve().parents[2] / "policy" / "run"
    return [str(pack)] if pack.exists() else []


class CellUpdate:
    """Brings one cell up.  Whoever runs it holds the cell's lease.

    Raises SetupError where the cell's passphrase is the public one, or the base's settings do not fit its customers.

    Customers whose deployment failed, and for whom nobody has asked since, are left as they are, unless it is an update
    of `everybody`: others would wait until they have failed again.
    """

    def __init__(
        self,
        base: Base,
        cell: str,
        desired: Sequence[Desired],
        root: Path,
        *,
        stop: threading.Event,
        tell: OnPassed,
        everybody: bool = True,
    ) -> None:
        self._base = base
        self._cell = cell
        self._desired = desired
        self._root = root
        self._present = [one for one in desired if one.wanted == DesiredState.PRESENT]
        self._absent = [one for one in desired if one.wanted == DesiredState.ABSENT]
        self._everybody = everybody
        self._stuck: dict[str, Failure] = {}
        """Who is to go and could not be made ready for that, and why."""
        self._aside: dict[str, list[str]] = {}
        """Who is left as it is, and the URNs of what the engine is not to touch for that."""
        base.refuse_public_passphrase(cell, folder_of(root, cell))
        self._fleet = self._make_fleet()
        self._layout: Layout = plan_layout(self._fleet, cell=cell)
        self._redact = Redactor(_secrets(desired))
        self._command = Command(stop=stop)
        self._tell = tell
        self._begun = time.monotonic()
        self._records = {one.id: dict(one.record) for one in self._present}
        self._state: Mapping[str, Any] | None = None
        """The exported state, as `recover` has read it and left it."""

    @cached_property
    def _engine(self) -> Engine:
        return Engine(folder_of(self._root, self._cell), self._cell, self._declare, **self._with)

    @property
    def stack(self) -> Previewed:
        """The cell's stack, which is made where there is none yet."""
        return self._engine

    @property
    def previewed(self) -> Previewed:
        """What can be asked what an update would do: the cell's stack, or what stands in for one that is not there."""
        try:
            return Engine(folder_of(self._root, self._cell), self._cell, self._declare, must_exist=True, **self._with)
        except StackNotFoundError:
            return self

    def preview(self, **options: Any) -> None:
        """Preview the cell as one that has no stack yet, and make none: the engine gets a backend for this once."""
        outputs = self._base.outputs
        shared = BaseOutputs(base=outputs["base"], login_key=outputs["login_key"])
        with private_folder() as folder:
            alone = Engine.alone(folder, self._cell, partial(self._declare, shared), cloud=self._fleet.cloud)
            alone.preview(**options)

    @property
    def _with(self) -> dict[str, Any]:
        return {"cloud": self._base.fleet.cloud, "command": self._command}

    def _declare(self, shared: BaseOutputs | None = None) -> None:
        declare_cell(self._fleet, cell=self._cell, base=self._base.name, records=self._records, shared=shared).export()

    def recover(self) -> None:
        """Take up what a killed update has left, before `prepare`.

        Raises LockedError while another update runs, and SetupError.
        """
        cloud = self._fleet.cloud
        find = find_at(cloud.api, cloud.token.get_secret_value(), {CELL_LABEL: self._cell})
        try:
            self._state = recover(self._cell, self._pulumi, find).state
        except CommandError as error:
            why = self._redact.line(explain(self._cell, str(error)), 500)
            raise SetupError(f"what a killed update of {self._cell} left could not be taken up: {why}") from None
        except CloudError as error:
            raise SetupError(f"what a killed update of {self._cell} had made is not known: {error}") from None

    def prepare(self) -> dict[str, int]:
        """Take away what keeps the engine from removing customers who are to go, or what it does not know of.

        Returns the revisions that the update will bring about, by customer; it has none of those who are left as they
        are.

        Raises SetupError, also where the cell has customers of whom the catalog does not know: an empty or an old one
        would have them deleted.  Raises the engine's CommandError too.
        """
        exported = self._exported() if self._state is None else self._state
        if unknown := sorted(customers_of(exported) - {one.id for one in self._desired}):
            raise SetupError(
                f"the catalog does not know {', '.join(unknown[:5])} of {self._cell}, who would be deleted. "
                f"{rebuild_hint(self._base.name)}."
            )
        if away := sorted({one.server_name for one in self._layout.customers if one.host_id} - self._hosts.keys()):
            raise SetupError(
                f"the shared host {away[0]} of {self._base.name}, which customers of {self._cell} are on, is not up. "
                f"Bring it up with `clawdet up -s {self._base.name}`."
            )
        gone: list[str] = []
        for one in self._absent:
            self._command.check()
            resources = resources_of(exported, one.id)
            for urn in cleanup.protected(resources):
                self._pulumi(["state", "unprotect", urn, "--yes", "--stack", self._cell])
            # A customer whose server cannot be reached does not block the others; its own result reports it.
            try:
                gone += cleanup.unprotect_servers(self._fleet.cloud, resources)
                if self._is_host_gone(one):
                    gone += commands_of(resources)
                elif not cleanup.is_deployed(resources, one.id):
                    self._clear(one)
            except (cleanup.LeftoverError, HostError) as error:
                code = error.code if isinstance(error, cleanup.LeftoverError) else FailureCode.DEPLOYMENT
                self._stuck[one.id] = Failure(str(error), code)
        forget(self._cell, gone, self._pulumi)
        if not self._everybody:
            self._aside = aside(self._cell, self._desired, self._layout.customers, exported)
        return {one.id: one.revision for one in self._desired if one.id not in self._aside}

    def run(self, parallel: int) -> dict[str, Applied]:
        """Bring the cell up, `parallel` things at a time, and return how each customer's newest wish has ended.

        There is no result for those who are left as they are.

        Raises the engine's Stopped if it was stopped, UpdateInProgressError if the backend says that another update
        runs, and SetupError if the whole cell could not be updated.
        """
        addresses = {one.id: str(self._hosts[one.server_name]["ipv4"]) for one in self._layout.customers if one.host_id}
        follower = UpdateProgress(
            self._layout.customers, self._tell, addresses=addresses, ca_bundle=self._fleet.cloud.ca_bundle
        )
        follower.begin(one.id for one in self._desired if one.revision != one.applied)
        failure: Failure | None = None
        try:
            self._engine.up(
                follower,
                continue_on_error=True,
                parallel=parallel,
                policy_packs=policy_pack(self._root),
                exclude=[urn for urns in self._aside.values() for urn in urns] or None,
                suppress_progress=True,
            )
        except ConcurrentUpdateError:
            raise UpdateInProgressError(f"another process is updating {self._cell}") from None
        except CommandError as error:
            failure = self._explain(follower, error)
        finally:
            follower.end()
        return self._results(follower, failure, self._switched_off())

    def _make_fleet(self) -> Fleet:
        try:
            return self._base.fleet_with([one.record for one in self._present], listed=False)
        except ConfigurationError as error:
            raise SetupError(
                f"the settings of {self._base.name} do not fit the customers of {self._cell}: {error}"
            ) from None

    def _pulumi(self, arguments: Sequence[str]) -> str:
        """Run a command of the engine where the cell's settings are."""
        workspace = self._engine.stack.workspace
        result = self._command.run(list(arguments), workspace.work_dir, workspace.env_vars)
        return str(result.stdout)

    def _clear(self, one: Desired) -> None:
        """Clear the place of a customer on a server that stays, of whose deployment the engine does not know.

        Raises HostError.
        """
        # What decides where the customer is.  The rest may not fit the settings any more, and is not needed.
        kept = {key: value for key, value in one.record.items() if key in ("id", "plan", "host", "existingServer")}
        try:
            gone = self._base.fleet_with([{**kept, "anthropicApiKey": Encrypted()}], listed=False)
        except ConfigurationError:
            # The fleet no longer has the shared host, or the address is refused.
            return
        [layout] = plan_layout(gone, cell=self._cell).customers
        existing = layout.customer.existing_server
        if layout.host_id is not None:
            if layout.server_name not in self._hosts:
                return
            facts = self._hosts[layout.server_name]
        elif existing is not None:
            facts = {"ipv4": str(existing.ipv4), "host_key": existing.host_key}
        else:
            return
        server = cleanup.server_of(layout.server_name, self._cell, facts)
        cleanup.remove_from(server, SecretStr(self._base.outputs["login_key"]), layout, bool(gone.cloud.image_prefix))

    @property
    def _hosts(self) -> Mapping[str, Any]:
        """What the base says of its shared hosts, by server name."""
        found: Mapping[str, Any] = self._base.outputs["base"]["hosts"]
        return found

    def _is_host_gone(self, one: Desired) -> bool:
        """Return whether the provider does not have the shared host that a customer was on."""
        host = one.record.get("host")
        if not isinstance(host, str) or slug_of(host) not in self._hosts:
            return False
        try:
            return asyncio.run(Provider(self._fleet.cloud).status(slug_of(host))) is None
        except ProviderError:
            return False

    def _exported(self) -> Mapping[str, Any]:
        exported: Mapping[str, Any] = json.loads(self._pulumi(["stack", "export", "--stack", self._cell]))
        return exported

    def _explain(self, follower: UpdateProgress, error: CommandError) -> Failure:
        if follower.general:
            return follower.general[0]
        said = str(error)
        return replace(printed_failure(said), sentence=explain(self._cell, said))

    def _switched_off(self) -> Collection[str]:
        """Return the names of the cell's servers that are off.

        What the engine left alone it did not look at, and one that could not get another type was switched off for it.
        """
        try:
            return asyncio.run(Provider(self._fleet.cloud).switched_off(f"{CELL_LABEL}={self._cell}"))
        except ProviderError:
            return ()

    def _gone(self, exported: Mapping[str, Any]) -> Collection[str]:
        """Return whose servers the provider does not have any more; the engine compares with the state alone."""
        existing = Provider(self._fleet.cloud).existing
        try:
            found = gone_servers(resources_of_state(exported), lambda ids: asyncio.run(existing(ids)))
        except ProviderError:
            return ()
        return found.values()

    def _results(
        self, follower: UpdateProgress, failure: Failure | None, off: Collection[str] = ()
    ) -> dict[str, Applied]:
        exported = self._exported()
        seconds = round(time.monotonic() - self._begun, 1)
        facts = facts_of(exported)
        results: dict[str, Applied] = {}
        down = {
            one.id: f"server {one.server_name} is off; switch it on with `clawdet power on {one.id}`"
            for one in self._layout.customers
            if one.server_name in off
        }
        for owner in self._gone(exported):
            down[owner] = (
                f"the provider does not have the server of {owner} any more; `pulumi refresh -s {self._cell}` takes "
                "it out of the state, and the next update makes an empty one"
            )
        for one in self._desired:
            if one.id in self._aside:
                continue
            stages = [{"stage": p.stage, "seconds": p.seconds, "note": p.note} for p in follower.passed(one.id)]
            if one.wanted == DesiredState.ABSENT:
                left = resources_of(exported, one.id)
                why = self._stuck.get(one.id)
                if left and why is None:
                    why = follower.why(one.id) or failure or _unexplained("something of it is still there")
            elif follower.healthy(one.id):
                why = _unexplained(down[one.id]) if one.id in down else None
            else:
                why = follower.why(one.id) or failure or _unexplained("the engine did not come to this customer")
                if one.id in down:
                    why = replace(why, sentence=f"{why.sentence} ({down[one.id]})")
            results[one.id] = Applied(
                revision=one.revision,
                ok=why is None,
                error=self._redact.line(why.sentence, 500) if why else "",
                error_code=code_of(why) if why else "",
                facts=facts.get(one.id, {}),
                deploy_seconds=seconds,
                stages=stages,
            )
        return results


def _unexplained(sentence: str) -> Failure:
    return Failure(sentence, FailureCode.DEPLOYMENT)


def _secrets(desired: Sequence[Desired]) -> list[str]:
    keys = ("anthropicApiKey", "gatewayToken", "telegramBotToken")
    return [str(one.record[key]) for one in desired for key in keys if one.record.get(key)]
