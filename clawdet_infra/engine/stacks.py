"""What the engine knows of a stack: its configuration and its outputs."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clawdet_infra.config import CloudAccess, ConfigurationError, Fleet, decode, load_fleet, read_config
from clawdet_infra.config.stackfile import read_stack_file
from clawdet_infra.engine import process
from clawdet_infra.engine.deployments import outputs_of_state
from clawdet_infra.engine.errors import explain
from clawdet_infra.engine.output import updates_of
from clawdet_infra.engine.process import PROJECT
from clawdet_infra.engine.stack_errors import InventoryError
from clawdet_infra.paths import ROOT

_CELL = re.compile(r"(?P<base>.+)-cell-[1-9][0-9]*")
_TOKEN_KEY = "hcloud:token"  # noqa: S105 -- the key, not a token
_TOKEN_VARIABLE = "HCLOUD_TOKEN"  # noqa: S105 -- the variable, not a token

# Refreshes are in the history too.
_UPDATES_READ = 20


@dataclass(frozen=True)
class ConfigValue:
    """A value of a stack's configuration as the engine shows it, and whether it is encrypted in the stack's file."""

    value: str
    secret: bool


def require_engine(root: Path = ROOT) -> None:
    """Raise InventoryError where there is no engine, or no project."""
    if shutil.which(process.PROGRAM) is None:
        raise InventoryError(process.MISSING)
    if not (root / "Pulumi.yaml").is_file():
        raise InventoryError(f"there is no Pulumi.yaml in {root}: CLAWDET_ROOT has to name the project's folder")


def stack_versions(root: Path = ROOT) -> dict[str, str]:
    """Return the project's stacks that have resources, each with what changes whenever the stack does."""
    listed = _ask(None, ["stack", "ls", "--json"], root)
    # Where the backend does not count resources, a stack may have some.
    return {
        one["name"]: str(one["lastUpdate"])
        for one in listed
        if one.get("resourceCount") != 0 and one.get("lastUpdate") is not None
    }


def outputs_of(stack: str, root: Path = ROOT) -> dict[str, Any]:
    """Return the outputs of a stack, secrets included; there are none before its first update.

    `customers`, `tokens` and `servers` are what is there by now, also where the last update failed; see `deployed`.
    """
    return outputs_of_state(_ask(stack, ["stack", "export", "--show-secrets", "--stack", stack], root))


def last_update_succeeded(stack: str, root: Path = ROOT) -> bool:
    """Return whether the last update of a stack did all that it should; False where the engine does not say."""
    asked = ["stack", "history", "--stack", stack, "--json", "--page-size", str(_UPDATES_READ), "--page", "1"]
    last = updates_of(_printed(stack, asked, root))[:1]
    return bool(last) and last[0].succeeded


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
    from clawdet_infra.config.settings import local_cloud

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
    shown = _ask(stack, ["config", "--show-secrets", "--json", "--stack", stack], root)
    try:
        return {key: ConfigValue(one["value"], bool(one["secret"])) for key, one in shown.items()}
    except KeyError:
        raise InventoryError(f"stack {stack} has a configuration that the engine cannot show") from None


def _raw(config: Mapping[str, str], root: Path) -> dict[str, Any]:
    from clawdet_infra.config.settings import NAMESPACE, local_cloud

    mark = f"{NAMESPACE}:"
    names = {key.removeprefix(mark): value for key, value in config.items() if key.startswith(mark)}
    raw = {name: decode(name, value) for name, value in names.items()}
    file = _local_cloud_file(config, root)
    if file is not None:
        raw["cloud"] = local_cloud(file, must_answer=False)
    return raw


def _token(config: Mapping[str, str]) -> str | None:
    return config.get(_TOKEN_KEY) or os.environ.get(_TOKEN_VARIABLE)


def _ask(stack: str | None, arguments: list[str], root: Path) -> Any:
    """Return the JSON that a command of the engine prints.  Raises InventoryError."""
    printed = _printed(stack, arguments, root)
    try:
        return json.loads(printed)
    except ValueError:
        raise InventoryError(f"`pulumi {' '.join(arguments)}` printed no JSON") from None


def _printed(stack: str | None, arguments: list[str], root: Path) -> str:
    """Return what a command of the engine prints.  Raises InventoryError."""
    require_engine(root)
    try:
        return process.output(arguments, cwd=root)
    except process.FailedError as error:
        raise InventoryError(explain(stack, error.printed)) from None
    except process.EngineError as error:
        raise InventoryError(str(error)) from None
