"""Which stacks the jobs are about: the variable CLAWDET_STACKS, or `prod`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clawdet_infra.reviews.errors import SettingsError

_STACK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}")


def stacks_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the stacks, in the order in which they are deployed.  Raises SettingsError for other text."""
    names = (environment.get("CLAWDET_STACKS") or "prod").split()
    for name in names:
        if not _STACK.fullmatch(name):
            raise SettingsError(f"CLAWDET_STACKS has {name[:40]!r}, which is not the name of a stack.")
    return tuple(dict.fromkeys(names))
