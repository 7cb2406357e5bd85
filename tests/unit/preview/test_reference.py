"""What docs/reference/changes.md says of each key is what the program would declare and render."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from clawdet_infra import render
from clawdet_infra.config import load_fleet
from clawdet_infra.layout import CustomerLayout, plan_layout
from tests.support.customer_changes import CHANGES, HOSTS, Change, entry, rows
from tests.unit.render.examples import raw_fleet
from tests.unit.test_docs import FIELDS

TOKENS = {1: "a1b2c3d4e5f60718" * 4, 2: "f0e1d2c3b4a59687" * 4}
GROUPS = {"server", "limits", "release"}
"""Keys that only hold others."""


def laid_out(change: Change, *, after: bool) -> CustomerLayout:
    raw = raw_fleet() | {"customers": [entry(change, 1, after=after)], "sharedHosts": HOSTS}
    return plan_layout(load_fleet(raw)).customers[0]


def services(layout: CustomerLayout) -> dict[str, Any]:
    """What Compose would make containers of: it makes one anew exactly if this has changed."""
    customer = layout.customer
    token = TOKENS[customer.token_version]
    if customer.gateway_token is not None:
        token = customer.gateway_token.get_secret_value()
    password = "of its own" if customer.auth_password == "independent" else token[:16]
    environment = render.environment(customer, gateway_token=token, auth_password=password)
    values = dict(re.findall(r"^(\w+)='(.*)'$", environment, re.MULTILINE))
    text = render.bundle(layout, images=layout.images).files["compose.yaml"].content
    found: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{(\w+)[^}]*\}", lambda match: values[match[1]], text))
    return found["services"]


def words_of(change: Change) -> tuple[str, str]:
    """What happens to data and service, in the words of the page."""
    before, after = laid_out(change, after=False), laid_out(change, after=True)
    rented = [one.server and one.server.location for one in (before, after)]
    if (before.place, rented[0]) != (after.place, rented[1]):
        return "lost", "new server"
    old, new = services(before), services(after)
    again = [name for name in ("gateway", "proxy", "browser") if name in old and old[name] != new.get(name)]
    told = []
    if again:
        told.append(f"{' and '.join(again)} restart{'s' if len(again) == 1 else ''}")
    if before.server and after.server and before.server.type != after.server.type:
        told.append("server resized")
    address = [
        (one.fqdn, one.customer.existing_server and one.customer.existing_server.ipv4) for one in (before, after)
    ]
    if address[0] != address[1]:
        told.append("new address")
    return "stays", ", ".join(told) or "nothing"


def test_the_page_has_every_key_of_a_customer() -> None:
    keys = {key.removeprefix("customers[].") for key in FIELDS if key.startswith("customers[].")}
    assert {one.key for one in rows()} == keys - GROUPS
    assert {one.row for one in CHANGES} == {one for one in rows() if one.key != "id"}, "and a change for every row"


@pytest.mark.parametrize("change", CHANGES, ids=lambda one: f"{one.key}-{one.plan}")
def test_a_change_does_what_the_page_says(change: Change) -> None:
    assert words_of(change) == (change.row.data, change.row.service)


def test_the_proxys_image_is_also_that_of_the_network_of_an_enterprise_customer() -> None:
    [release] = (one for one in CHANGES if one.key == "release.proxy")
    change = Change(release.key, release.after, plan="enterprise")
    old, new = (services(laid_out(change, after=after)) for after in (False, True))
    assert old["namespace"]["image"] != new["namespace"]["image"]
    assert {old[name]["network_mode"] for name in ("gateway", "browser")} == {"service:namespace"}


def test_a_free_customers_proxy_does_not_know_the_address() -> None:
    change = Change("subdomain", {"subdomain": "another"}, {"host": "shared-1"}, plan="free")
    old, new = (services(laid_out(change, after=after)) for after in (False, True))
    assert [name for name in old if old[name] != new[name]] == ["gateway"]
