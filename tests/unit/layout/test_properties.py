"""What must hold for every fleet: customers do not depend on each other, and share no name."""

from __future__ import annotations

import random
import re

from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.config import ConfigurationError, load_fleet
from clawdet_infra.layout import plan_layout
from tests.unit.config.strategies import customers, fleets

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def by_id(raw):
    return {layout.id: layout for layout in plan_layout(load_fleet(raw)).customers}


@given(fleets(least=1), st.data())
def test_removing_a_customer_changes_no_other(raw, data):
    before = by_id(raw)
    gone = data.draw(st.sampled_from(raw["customers"]))
    after = by_id(raw | {"customers": [entry for entry in raw["customers"] if entry is not gone]})
    assert after == {name: layout for name, layout in before.items() if name != gone["id"]}


@given(fleets(), customers(), st.randoms(use_true_random=False))
def test_adding_a_customer_changes_no_other(raw, entry, chance: random.Random):
    before = by_id(raw)
    entries = list(raw["customers"])
    entries.insert(chance.randint(0, len(entries)), entry)
    try:
        after = by_id(raw | {"customers": entries})
    except ConfigurationError:
        return  # The newcomer's names are taken, or there is no room; then nothing is deployed at all.
    assert {name: layout for name, layout in after.items() if name != entry["id"]} == before
    assert entry["id"] in after


@given(fleets(), st.randoms(use_true_random=False))
def test_reordering_customers_changes_nothing_at_all(raw, chance: random.Random):
    entries = list(raw["customers"])
    chance.shuffle(entries)
    before, after = plan_layout(load_fleet(raw)), plan_layout(load_fleet(raw | {"customers": entries}))
    assert (before.customers, before.shared_hosts, before.waves) == (after.customers, after.shared_hosts, after.waves)


@given(fleets(least=1), st.data())
def test_a_changed_customer_changes_no_other(raw, data):
    position = data.draw(st.integers(0, len(raw["customers"]) - 1))
    changed = [dict(entry) for entry in raw["customers"]]
    changed[position]["tokenVersion"] = 77
    before, after = by_id(raw), by_id(raw | {"customers": changed})
    name = changed[position]["id"]
    assert before.pop(name) != after.pop(name)
    assert before == after


@given(fleets())
def test_no_two_customers_share_a_name_a_folder_or_an_address(raw):
    layout = plan_layout(load_fleet(raw))
    for name in ("id", "slug", "fqdn", "url", "directory", "user", "subdomain"):
        values = [getattr(one, name) for one in layout.customers]
        assert len(set(values)) == len(values), f"two customers have the same {name}"
    servers = [one.server_name for one in (*layout.customers, *layout.shared_hosts) if one.server is not None]
    assert len(set(servers)) == len(servers), "server names are unique in a project of Hetzner"


@given(fleets())
def test_every_name_is_safe_where_it_is_used(raw):
    layout = plan_layout(load_fleet(raw))
    for one in layout.customers:
        assert SLUG.fullmatch(one.slug), "a Compose project's name, a folder and a host name"
        assert SLUG.fullmatch(one.server_name)
        assert len(one.fqdn) <= 253
        assert one.directory.startswith("/srv/clawdet/")
        assert "/" not in one.directory.removeprefix("/srv/clawdet/"), "no id may climb out of its folder"


@given(fleets())
def test_every_customer_is_in_exactly_one_wave_and_free_ones_on_exactly_one_host(raw):
    layout = plan_layout(load_fleet(raw))
    assert sorted(one.id for wave in layout.waves for one in wave) == [one.id for one in layout.customers]
    hosts = {host.id for host in layout.shared_hosts}
    for one in layout.customers:
        assert (one.host_id in hosts) is not one.plan.dedicated
        assert (one.server is None) is not one.plan.dedicated
