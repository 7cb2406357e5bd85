"""From why a customer's update failed to an error that says what the caller can do."""

from __future__ import annotations

from collections.abc import Mapping

from clawdet_infra.automation.errors import AutomationError, CapacityError, Code, DeploymentError, SetupError
from clawdet_infra.catalog import InstanceRow
from clawdet_infra.engine.output import Cause, Failure, provider_cause
from clawdet_infra.error_line import FailureCode

_CODES: Mapping[FailureCode, Code] = {
    FailureCode.CAPACITY: Code.CAPACITY,
    FailureCode.CONFIGURATION: Code.SETUP,
    FailureCode.POLICY: Code.SETUP,
    FailureCode.SETUP: Code.SETUP,
}
_CAUSES: Mapping[Cause, FailureCode] = {
    Cause.NO_CAPACITY: FailureCode.CAPACITY,
    **dict.fromkeys(
        (
            Cause.NO_ACCESS,
            Cause.WRONG_PASSPHRASE,
            Cause.NO_PASSPHRASE,
            Cause.NO_STACK,
            Cause.NO_LOGIN,
            Cause.NO_BACKEND,
        ),
        FailureCode.SETUP,
    ),
}
"""What the engine and the provider say; every other cause is about the customer's deployment."""
_ERRORS: Mapping[str, type[AutomationError]] = {str(one.code): one for one in (CapacityError, SetupError)}


def provider_failure(code: object) -> FailureCode:
    """Return what an error code of the provider means."""
    return _CAUSES.get(provider_cause(code), FailureCode.DEPLOYMENT)


def code_of(failure: Failure) -> Code:
    """Return as a code what a caller can do about why an update failed: CAPACITY, SETUP or DEPLOYMENT.

    What a program of this project reports has a code, which decides alone.
    """
    code = failure.code or _CAUSES.get(failure.cause, FailureCode.DEPLOYMENT)
    return _CODES.get(code, Code.DEPLOYMENT)


def error_of(row: InstanceRow) -> AutomationError:
    """Return the error of a customer whose update failed."""
    # What runs on servers and the health check name the customer themselves.
    why = row.error.removeprefix(f"customer {row.id}: ") or "the update failed, and the engine gave no reason"
    text = f"customer {row.id}: {why}"
    text = text if text.endswith((".", "!", "?")) else f"{text}."
    return _ERRORS.get(row.error_code, DeploymentError)(text, row.id)
