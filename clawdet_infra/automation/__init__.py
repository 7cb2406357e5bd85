"""The library of a signup backend: provision, deprovision, update, status.

    with Provisioner("prod") as fleet:
        result = fleet.provision(Signup(id="user123", plan="pro", api_key=SecretStr(key)))
        result.access_url

`AsyncProvisioner` is the same for asyncio.  Nothing is printed; secrets are in no result, event or error.  Every error
is an `AutomationError`, whose `action` is `fix_input`, `retry` or `escalate`.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clawdet_infra.automation.asynchronous import AsyncProvisioner
    from clawdet_infra.automation.errors import (
        AutomationError,
        BusyError,
        CancelledError,
        CapacityError,
        DataLossError,
        DeadlineError,
        DeploymentError,
        ImmutableError,
        InputError,
        SetupError,
        TakenError,
        UnknownCustomerError,
    )
    from clawdet_infra.automation.provisioner import Provisioner
    from clawdet_infra.automation.results import Provisioned, Removed, StageEvent
    from clawdet_infra.automation.signup import Signup

__all__ = [
    "AsyncProvisioner",
    "AutomationError",
    "BusyError",
    "CancelledError",
    "CapacityError",
    "DataLossError",
    "DeadlineError",
    "DeploymentError",
    "ImmutableError",
    "InputError",
    "Provisioned",
    "Provisioner",
    "Removed",
    "SetupError",
    "Signup",
    "StageEvent",
    "TakenError",
    "UnknownCustomerError",
]

_ROOMS = {"AsyncProvisioner": "asynchronous", "Provisioner": "provisioner", "Signup": "signup"}
_ROOMS |= dict.fromkeys(("Provisioned", "Removed", "StageEvent"), "results")

_RENAMED = {"LossError": "DataLossError"}
"""Former names, which work in this version for the last time."""


def __getattr__(name: str) -> Any:
    # Pulumi takes a third of a second to import, and not everybody who looks at cells needs it.
    if new := _RENAMED.get(name):
        warnings.warn(f"{__name__}.{name} is called {new} now", DeprecationWarning, stacklevel=2)
        name = new
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ROOMS.get(name, 'errors')}"), name)
