"""What can go wrong, by what the caller can do about it: mend the input, try again, or call a person.

Every error's text is one sentence that holds no secret, and may be shown to an operator.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from clawdet_infra.config import Problem

Method = TypeVar("Method", bound=Callable[..., Any])
Action = Literal["fix_input", "retry", "escalate"]


class Code(StrEnum):
    """What went wrong, for programs; texts may change."""

    INPUT = "input"
    TAKEN = "taken"
    IMMUTABLE = "immutable"
    UNKNOWN_CUSTOMER = "unknown-customer"
    BUSY = "busy"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    CAPACITY = "capacity"
    DEPLOYMENT = "deployment"
    DATA_LOSS = "data-loss"
    SETUP = "setup"


class AutomationError(Exception):
    """The base of all errors here.

    `code` says what went wrong, `action` what to do; `customer` is the id of the affected customer, or "".
    """

    code: ClassVar[Code] = Code.SETUP
    action: ClassVar[Action] = "escalate"

    def __init__(self, message: str, customer: str = "") -> None:
        super().__init__(message)
        self.customer = customer


class InputError(AutomationError):
    """What was asked for cannot be: nothing was touched.  `problems` says which fields, where it is about fields."""

    code = Code.INPUT
    action = "fix_input"

    def __init__(self, message: str, customer: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message, customer)
        self.problems = tuple(problems)


class TakenError(InputError):
    """Another customer has the id, the subdomain or the token."""

    code = Code.TAKEN


class ImmutableError(InputError):
    """Something was asked to change that cannot: the customer would lose its data.  Remove and provision it anew."""

    code = Code.IMMUTABLE


class UnknownCustomerError(InputError):
    """There is no such customer."""

    code = Code.UNKNOWN_CUSTOMER


class BusyError(AutomationError):
    """Somebody else was updating the cell until the deadline; what was asked for is stored, and a next call does it."""

    code = Code.BUSY
    action = "retry"


class DeadlineError(AutomationError):
    """It took too long and was stopped; the next call goes on from there."""

    code = Code.DEADLINE
    action = "retry"


class CancelledError(AutomationError):
    """The caller cancelled; the next call goes on from there."""

    code = Code.CANCELLED
    action = "retry"


class CapacityError(AutomationError):
    """The cloud has no room or allows no more right now; the next call tries again."""

    code = Code.CAPACITY
    action = "retry"


class DeploymentError(AutomationError):
    """The customer's gateway did not come up.  The next call tries again; `deprovision` removes what there is."""

    code = Code.DEPLOYMENT
    action = "retry"


class DataLossError(AutomationError):
    """The base's settings would cost customers their data, and nobody has said that it may; a person has to look."""

    code = Code.DATA_LOSS


class SetupError(AutomationError):
    """The base, the catalog or the engine is not as it has to be; a person has to look."""


def whole(method: Method) -> Method:
    """Make a method of the library raise AutomationError only: an unexpected exception becomes a SetupError.

    Callers decide by an error's `action`, and an exception that has none would end a job of theirs without one.  The
    text says where in the program it was raised and not what it says, which may hold a secret.
    """

    @wraps(method)
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            return method(*arguments, **options)
        except AutomationError:
            raise
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).parent.name}/{Path(last.filename).name}:{last.lineno}"
            raise SetupError(f"the program met a {type(error).__name__} that it does not expect, at {place}.") from None

    return call  # type: ignore[return-value]
