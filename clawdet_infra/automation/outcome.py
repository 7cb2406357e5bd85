"""From why a customer's update failed to an error that says what the caller can do."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clawdet_infra.automation.errors import AutomationError, CapacityError, Code, DeploymentError, SetupError
from clawdet_infra.driver.engine_errors import Failure, is_about_setup
from clawdet_infra.error_line import FailureCode
from clawdet_infra.registry import InstanceRow

_CODES: Mapping[FailureCode, Code] = {
    FailureCode.CAPACITY: Code.CAPACITY,
    FailureCode.CONFIGURATION: Code.SETUP,
    FailureCode.POLICY: Code.SETUP,
    FailureCode.SETUP: Code.SETUP,
}
# Hetzner's error codes (https://docs.hetzner.cloud/#errors).
_OF_THE_PROVIDER: Mapping[str, FailureCode] = {
    "resource_unavailable": FailureCode.CAPACITY,
    "resource_limit_exceeded": FailureCode.CAPACITY,
    "placement_error": FailureCode.CAPACITY,
    "no_subnet_available": FailureCode.CAPACITY,
    "rate_limit_exceeded": FailureCode.CAPACITY,
    "unauthorized": FailureCode.SETUP,
    "forbidden": FailureCode.SETUP,
    "token_readonly": FailureCode.SETUP,
}
# The provider's plugin puts them in brackets behind the message.
_QUOTED = re.compile(r"\((?P<code>[a-z_]+)(?:, [^\s)]+)?\)")
_ERRORS: Mapping[str, type[AutomationError]] = {str(one.code): one for one in (CapacityError, SetupError)}


def provider_failure(code: object) -> FailureCode:
    """Return what an error code of the provider means."""
    return _OF_THE_PROVIDER.get(str(code), FailureCode.DEPLOYMENT)


def code_of(failure: Failure) -> Code:
    """Return as a code what a caller can do about why an update failed: CAPACITY, SETUP or DEPLOYMENT.

    What a program of this project reports has a code.  Text decides only where the provider or the engine wrote it.
    """
    code = failure.code
    if code is None:
        quoted = (found["code"] for found in _QUOTED.finditer(failure.sentence))
        code = next((_OF_THE_PROVIDER[one] for one in quoted if one in _OF_THE_PROVIDER), None)
    if code is None and is_about_setup(failure.sentence):
        code = FailureCode.SETUP
    return Code.DEPLOYMENT if code is None else _CODES.get(code, Code.DEPLOYMENT)


def error_of(row: InstanceRow) -> AutomationError:
    """Return the error of a customer whose update failed."""
    # What runs on servers and the health check name the customer themselves.
    why = row.error.removeprefix(f"customer {row.id}: ") or "the update failed, and the engine gave no reason"
    text = f"customer {row.id}: {why}"
    text = text if text.endswith((".", "!", "?")) else f"{text}."
    return _ERRORS.get(row.error_code, DeploymentError)(text, row.id)
