"""The base that cells stand on: its settings, its customers, and the key of the catalog's records."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawdet_infra.automation.errors import SetupError
from clawdet_infra.catalog import Record, RecordCipher
from clawdet_infra.config import Fleet, dump_fleet, load_fleet
from clawdet_infra.config.passphrase import refusal
from clawdet_infra.engine.versions import versions
from clawdet_infra.inventory import InventoryError, fleet_of, outputs_of


@dataclass(frozen=True)
class Base:
    """A stack as it is configured and as it was brought up last; `raw` has its configuration with secrets."""

    name: str
    fleet: Fleet
    outputs: Mapping[str, Any]
    version: str

    @property
    def seal(self) -> RecordCipher:
        """The key by which the catalog encrypts the records of this base's cells."""
        return RecordCipher(self.outputs["registry_key"])

    def refuse_public_passphrase(self, stack: str, folder: Path) -> None:
        """Raise SetupError where the secrets of a stack of this base, whose file is in a folder, are open to all."""
        file = folder / f"Pulumi.{stack}.yaml"
        if why := refusal(stack, file, os.environ, local=self.fleet.cloud.is_local):
            raise SetupError(why)

    def fleet_with(self, records: list[Record], *, listed: bool) -> Fleet:
        """Return a fleet with this base's settings and these customers, beside those of its stack file if `listed`.

        Raises ConfigurationError with all that is wrong with it.
        """
        raw = dump_fleet(self.fleet)
        # Customers of a cell come up as they sign up, and not wave by wave: nobody waits for another's gateway.
        rollout = {} if listed else {"rollout": {"waves": [100]}}
        before = raw["customers"] if listed else []
        own = [dict(one) if listed else {key: one[key] for key in one if key != "wave"} for one in records]
        return load_fleet({**raw, **rollout, "customers": [*before, *own]})


class BaseCache:
    """Reads a base, and again only when it has changed: its configuration or its state."""

    def __init__(self, name: str, root: Path) -> None:
        self._name = name
        self._root = root
        self._lock = threading.Lock()
        self._known: tuple[object, Base] | None = None

    def get(self) -> Base:
        """Return the base as it is now.  Raises SetupError."""
        with self._lock:
            try:
                version = versions(self._root).get(self._name)
                if self._known is None or version is None or self._known[0] != version:
                    self._known = (version, self._read(version))
            except InventoryError as error:
                raise SetupError(f"{error}") from None
            return self._known[1]

    def _read(self, version: object) -> Base:
        with ThreadPoolExecutor(1) as beside:
            # Both take the engine most of a second.
            asked = beside.submit(fleet_of, self._name, self._root)
            outputs = outputs_of(self._name, self._root)
        missing = [one for one in ("base", "registry_key", "login_key") if one not in outputs]
        if missing:
            raise SetupError(
                f"stack {self._name} has no output {missing[0]}: bring it up with `clawdet up -s {self._name}`, with "
                "this version"
            )
        base = Base(self._name, asked.result(), outputs, str(version))
        base.refuse_public_passphrase(self._name, self._root)
        return base
