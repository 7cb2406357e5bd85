"""From what the engine said of a failed customer to an error that says what the caller can do."""

from __future__ import annotations

import re

from clawdet_infra.automation.errors import AutomationError, CapacityError, DeploymentError, SetupError
from clawdet_infra.registry import InstanceRow

# Hetzner's error codes, as the provider quotes them (https://docs.hetzner.cloud/#errors).
_CAPACITY = re.compile(
    r"resource_unavailable|resource_limit_exceeded|placement_error|no_subnet_available|rate_limit_exceeded|sold out"
)
_SETUP = re.compile(
    r"unauthorized|forbidden|token_readonly|passphrase|no stack named|policy|is not in the state|required output"
)


def error_of(row: InstanceRow) -> AutomationError:
    """Return the error of a customer whose update failed."""
    # What runs on servers and the health check name the customer themselves.
    why = row.error.removeprefix(f"customer {row.id}: ") or "the update failed, and the engine gave no reason"
    text = f"customer {row.id}: {why}"
    text = text if text.endswith((".", "!", "?")) else f"{text}."
    if _CAPACITY.search(row.error):
        return CapacityError(text, row.id)
    if _SETUP.search(row.error):
        return SetupError(text, row.id)
    return DeploymentError(text, row.id)
