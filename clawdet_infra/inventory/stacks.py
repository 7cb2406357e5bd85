"""What the engine knows of a stack, asked through the Automation API: its configuration and its outputs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from clawdet_infra.inventory.errors import MISSING_ENGINE, InventoryError, explain
from clawdet_infra.model import CloudAccess, ConfigurationError, Fleet, decode, load_fleet, read_config
from clawdet_infra.model.stackfile import read_stack_file
from clawdet_infra.place import ROOT

if TYPE_CHECKING:
    from pulumi.automation import ConfigValue, LocalWorkspace, PulumiCommand

PROJECT = "clawdet"
_CELL = re.compile(r"(?P<base>.+)-cell-[1-9][0-9]*")
_TOKEN_KEY = "hcloud:token"  # noqa: S105 -- the key, not a token
_TOKEN_VARIABLE = "HCLOUD_TOKEN"  # noqa: S105 -- the variable, not a token

# Refreshes are in the history too.
_UPDATES_READ = 20

_engines: dict[str, PulumiCommand] = {}
_finding = threading.Lock()


def workspace(root: Path = ROOT) -> LocalWorkspace:
    """Return the project's workspace.  Raises InventoryError where there is no engine."""
    # Imported where it is needed: Pulumi takes a third of a second.
    from pulumi.automation import InvalidVersionError, LocalWorkspace, PulumiCommand

    # To ask the engine for its version takes a quarter of a second, so it is asked once a process.
    with _finding:
        path = os.environ.get("PATH", "")
        if path not in _engines:
            try:
                _engines[path] = PulumiCommand()
            except (FileNotFoundError, PermissionError):
                raise InventoryError(MISSING_ENGINE) from None
            except (InvalidVersionError, subprocess.CalledProcessError) as error:
                raise InventoryError(f"the pulumi on PATH cannot be used: {explain(None, str(error))}") from None
    if not (root / "Pulumi.yaml").is_file():
        raise InventoryError(f"there is no Pulumi.yaml in {root}: CLAWDET_ROOT has to name the project's folder")
    return LocalWorkspace(work_dir=str(root), pulumi_command=_engines[path])


def stack_versions(root: Path = ROOT) -> dict[str, str]:
    """Return the project's stacks that have resources, each with what changes whenever the stack does."""
    with _asking(None):
        listed = workspace(root).list_stacks()
    # Where the backend does not count resources, a stack may have some.
    return {one.name: f"{one.last_update}" for one in listed if one.resource_count != 0 and one.last_update is not None}


def outputs_of(stack: str, root: Path = ROOT) -> dict[str, Any]:
    """Return the outputs of a stack, secrets included; there are none before its first update."""
    with _asking(stack):
        return {name: output.value for name, output in workspace(root).stack_outputs(stack).items()}


def last_update_succeeded(stack: str, root: Path = ROOT) -> bool:
    """Return whether the last update of a stack did all that it should; False where the engine does not say."""
    asked = ["stack", "history", "--stack", stack, "--json", "--page-size", str(_UPDATES_READ), "--page", "1"]
    with _asking(stack):
        known = workspace(root)
        told = known.pulumi_command.run(asked, str(root), known.env_vars).stdout
    try:
        found = [one.get("result") for one in json.loads(told or "[]") if one.get("kind") == "update"]
    except (ValueError, AttributeError, TypeError):
        return False
    return found[:1] == ["succeeded"]


def base_of(stack: str, root: Path = ROOT) -> str:
    """Return the stack whose configuration a stack has: for a cell its base, for every other one itself.

    A file of the cell's own that configures nothing of the program makes no difference: `pulumi refresh` and other
    commands of the engine write one, with what they need to read the cell's secrets.
    """
    found = _CELL.fullmatch(stack)
    return found["base"] if found and not _is_configured(root / f"Pulumi.{stack}.yaml") else stack


def _is_configured(file: Path) -> bool:
    """Return whether a stack's file says anything to the program."""
    try:
        found = read_stack_file(file, PROJECT)
    except OSError:
        return False
    return any(key.startswith(f"{PROJECT}:") for key in found.config)


def fleet_of(stack: str, root: Path = ROOT) -> Fleet:
    """Return the fleet that a stack's configuration describes; a cell's has its base's settings and customers.

    Raises InventoryError with all that is wrong.
    """
    from clawdet_infra.settings import local_cloud

    base = base_of(stack, root)
    given = _given(base, root)
    config = {key: one.value for key, one in given.items()}
    try:
        return read_config(
            config,
            secret={key for key, one in given.items() if one.secret},
            token=_token(config),
            file=root / f"Pulumi.{base}.yaml",
            local_cloud=local_cloud,
        )
    except ConfigurationError as error:
        raise InventoryError(str(error)) from None


def cloud_of(stack: str, root: Path = ROOT) -> tuple[CloudAccess, Path | None]:
    """Return how the cloud of a stack is reached, and the file of a local cloud that says so.

    The rest of the configuration is not looked at: what runs is looked after also while somebody edits the list of
    customers, and while the cloud's own interface is away.
    """
    config = _config(base_of(stack, root), root)
    try:
        raw = _raw(config, root)
    except ConfigurationError as error:
        raise InventoryError(f"stack {stack}: {error.problems[0]}") from None
    cloud = raw.get("cloud") or {}
    token = _token(config)
    if isinstance(cloud, Mapping) and "token" not in cloud and token is not None:
        cloud = {**cloud, "token": token}
    try:
        return CloudAccess.model_validate(cloud, by_alias=True, by_name=False), _local_cloud_file(config, root)
    except ValidationError:
        pass
    try:
        load_fleet(raw, token=token)
    except ConfigurationError as error:
        wrong = [one for one in error.problems if one.field.startswith(("cloud", _TOKEN_KEY))]
        told = " ".join(str(one) for one in wrong[:1])
        raise InventoryError(f"stack {stack} does not say how its cloud is reached: {told}") from None
    raise InventoryError(f"stack {stack} does not say how its cloud is reached")


def _local_cloud_file(config: Mapping[str, str], root: Path) -> Path | None:
    written = decode("cloud", config.get(f"{PROJECT}:cloud", ""))
    return root / written if isinstance(written, str) and written else None


def _config(stack: str, root: Path) -> dict[str, str]:
    return {key: one.value for key, one in _given(stack, root).items()}


def _given(stack: str, root: Path) -> Mapping[str, ConfigValue]:
    file = root / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        raise InventoryError(f"stack {stack} has no configuration: there is no file {file}")
    with _asking(stack):
        try:
            return workspace(root).get_all_config(stack)
        except KeyError:
            raise InventoryError(f"stack {stack} has a configuration that the engine cannot show") from None


def _raw(config: Mapping[str, str], root: Path) -> dict[str, Any]:
    from clawdet_infra.settings import NAMESPACE, local_cloud

    mark = f"{NAMESPACE}:"
    names = {key.removeprefix(mark): value for key, value in config.items() if key.startswith(mark)}
    raw = {name: decode(name, value) for name, value in names.items()}
    file = _local_cloud_file(config, root)
    if file is not None:
        raw["cloud"] = local_cloud(file, must_answer=False)
    return raw


def _token(config: Mapping[str, str]) -> str | None:
    return config.get(_TOKEN_KEY) or os.environ.get(_TOKEN_VARIABLE)


@contextlib.contextmanager
def _asking(stack: str | None) -> Iterator[None]:
    from pulumi.automation import CommandError

    try:
        yield
    except CommandError as error:
        raise InventoryError(explain(stack, str(error))) from None
    except FileNotFoundError:
        raise InventoryError(MISSING_ENGINE) from None
