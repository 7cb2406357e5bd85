"""How long what is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clawdet_infra.monitoring.history import Retention


@pytest.mark.parametrize(("name", "kept"), [("samples", 0), ("aggregates", 91), ("events", 0)])
def test_nothing_may_be_kept_for_less_than_is_asked_of_it(name: str, kept: int) -> None:
    with pytest.raises(ValueError, match=f"retention of {name}"):
        Retention(**{name: timedelta(days=kept)})
