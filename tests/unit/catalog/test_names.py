"""What cells are called, and what a record claims."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.catalog import cell_name, cell_number
from clawdet_infra.catalog.names import NameClaim

BASES = st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)


@given(BASES, st.integers(1, 10**8))
def test_a_cell_is_known_by_its_name(base: str, number: int) -> None:
    assert cell_number(base, cell_name(base, number)) == number
    assert cell_number(base, base) is None


@pytest.mark.parametrize(
    "stack", ["prod", "prod-cell-", "prod-cell-0", "prod-cell-01", "prod-cell-1x", "prod-cell--1", "xprod-cell-1", "p"]
)
def test_other_stacks_are_no_cells(stack: str) -> None:
    assert cell_number("prod", stack) is None


def test_a_claim_is_what_others_may_not_have() -> None:
    claim = NameClaim.of(
        {"id": "a.b", "plan": "free", "subdomain": "x.y.z", "host": "shared-1", "gatewayToken": "g" * 64}
    )
    assert (claim.id, claim.name, claim.plan, claim.host) == ("a.b", "x.y.z", "free", "shared-1")
    assert (claim.slugs, claim.above, claim.apex) == (("a-b", "x-y-z"), ["y.z", "z"], "z")
    assert "ggg" not in repr(claim)
    assert NameClaim.of({"id": "ada"}).name == "ada"
    odd = NameClaim.of(
        {"id": "ada", "plan": 7, "host": ["x"], "gatewayToken": 5, "telegramBotToken": None, "existingServer": "x"}
    )
    assert odd.existing_ipv4 is None
    assert (odd.plan, odd.host, odd.gateway_token, odd.telegram_token) == ("", "", None, None)
