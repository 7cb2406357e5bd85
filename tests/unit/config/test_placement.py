"""Where customers live: host and capacity."""

from __future__ import annotations

from typing import Any

import pytest

from clawdet_infra.config import load_fleet
from tests.unit.config.samples import complaint, complaints, customer, fleet


def host(name: str, **changes: Any) -> dict[str, Any]:
    return {"id": name, "type": "cx43", "location": "fsn1", "capacity": 7} | changes


def free(name: str, **changes: Any) -> dict[str, Any]:
    return customer(name, "free", **changes)


def test_a_free_customer_needs_no_host_where_there_is_exactly_one():
    assert load_fleet(fleet(free("alice"))).customers[0].host is None


def test_a_free_customer_without_any_shared_host_is_told():
    assert complaint(fleet(free("alice"), sharedHosts=[])) == (
        "customer alice: customers[0].host: is missing, and the fleet has no shared host for a free customer. "
        "Add a host under `sharedHosts`, or choose a paying plan."
    )


def test_a_host_that_is_named_where_there_is_none_is_told():
    assert complaint(fleet(free("alice", host="shared-1"), sharedHosts=[])) == (
        "customer alice: customers[0].host: 'shared-1' is not a shared host; the fleet has none. "
        "Add a host under `sharedHosts`, or choose a paying plan."
    )


def test_with_two_hosts_the_place_has_to_be_written_and_free_places_are_told():
    hosts = [host("one"), host("two", capacity=2)]
    assert complaint(fleet(free("alice"), free("bob", host="two"), sharedHosts=hosts)) == (
        "customer alice: customers[0].host: is required, because the fleet has 2 shared hosts. "
        "Free places: one (7) and two (1)."
    )


def test_free_places_count_memory_too():
    hosts = [host("one", type="cx33"), host("two", type="cx33")]
    assert complaint(fleet(free("alice"), free("bob", host="two"), sharedHosts=hosts)) == (
        "customer alice: customers[0].host: is required, because the fleet has 2 shared hosts. "
        "Free places: one (3) and two (2)."
    ), "a cx33 has 8 GiB, of which the system keeps 768 MiB, and a free customer takes 2 GiB"


def test_full_hosts_are_told_as_full():
    hosts = [host("one", capacity=1), host("two", capacity=1)]
    entries = [free("a", host="one"), free("b", host="two"), free("c")]
    assert complaint(fleet(*entries, sharedHosts=hosts)) == (
        "customer c: customers[2].host: is required, because the fleet has 2 shared hosts. "
        "All hosts are full: add one under `sharedHosts`."
    )


def test_a_host_that_is_not_there_is_told_with_the_nearest():
    assert complaint(fleet(free("alice", host="shared1"))) == (
        "customer alice: customers[0].host: 'shared1' is not a shared host of the fleet. Did you mean `shared-1`? "
        "Free places: shared-1 (7)."
    )


def test_a_host_with_more_customers_than_places_is_told():
    assert complaint(fleet(free("a"), free("b"), sharedHosts=[host("one", capacity=1)])) == (
        "sharedHosts[0].capacity: 'one' has 2 customers, but room for only 1. "
        "Move customers by their `host`, or raise the capacity if memory allows it."
    )


def test_a_host_with_less_memory_than_its_customers_may_take_is_told():
    entries = [free(f"c{number}") for number in range(4)]
    assert complaint(fleet(*entries, sharedHosts=[host("one", type="cx33")])) == (
        "sharedHosts[0].type: 'one' is a cx33 with 7424 MiB for customers, but its 4 customers may use 8192 MiB "
        "together. The first type that fits at fsn1 is `cx43`. Choose a larger type, or move customers by their `host`."
    )


def test_a_customers_own_limits_count_for_its_host():
    entries = [free("a", limits={"memory": 4096}), free("b", limits={"memory": 4096})]
    assert complaint(fleet(*entries, sharedHosts=[host("one", type="cx33")])).startswith(
        "sharedHosts[0].type: 'one' is a cx33 with 7424 MiB for customers, but its 2 customers may use 8192 MiB"
    )


def test_more_cores_than_the_shared_host_has_are_told():
    assert complaint(fleet(free("alice", limits={"cpus": 16}))) == (
        "customer alice: customers[0].limits.cpus: 16 cores are configured, but 'shared-1' is a cx43 with 8. "
        "Lower the limit, or choose a larger type for the host."
    )


@pytest.mark.parametrize("plan", ["pro", "enterprise"])
def test_a_paying_customer_may_not_name_a_host(plan):
    assert complaint(fleet(customer(plan=plan, host="shared-1"))) == (
        f"customer user123: customers[0].host: cannot be given: customers of the plan {plan} have a server of their "
        "own. Remove the line."
    )


def test_a_free_customer_may_not_have_a_server():
    assert complaint(fleet(free("alice", server={"type": "cx33"}))) == (
        "customer alice: customers[0].server: cannot be given: customers of the plan free share hosts. "
        "Remove the line, or choose a paying plan."
    )


def test_a_host_and_a_customer_may_not_name_the_same_server():
    assert complaint(fleet(free("a.b"), sharedHosts=[host("a-b")])) == (
        "sharedHosts[0].id: 'a-b' is also the id of customer a.b (customers[0]); both name a server. "
        "Choose another id for the newer one; an id cannot change once it is deployed."
    )


def test_two_hosts_may_not_name_the_same_server():
    assert complaint(fleet(sharedHosts=[host("h.1"), host("h-1")])) == (
        "sharedHosts[1].id: 'h-1' names the same server as 'h.1' of sharedHosts[0]. Each host needs an id of its own."
    )


def test_a_host_that_hetzner_does_not_sell_there_is_told():
    assert complaint(fleet(sharedHosts=[host("one", location="ash")])) == (
        "sharedHosts[0].location: Hetzner does not sell cx43 at ash. The first type that fits at ash is cpx41. "
        "It is sold at fsn1, nbg1 and hel1."
    )


def test_a_host_without_places_is_told():
    assert complaint(fleet(sharedHosts=[host("one", capacity=0)])) == (
        "sharedHosts[0].capacity: is 0; it must be from 1 to 200 customers."
    )


def test_mistakes_of_a_host_do_not_hide_those_of_its_customers():
    found = complaints(fleet(free("alice", host="two"), sharedHosts=[host("one", type="cx99", capacity=0)]))
    assert found == [
        "customer alice: customers[0].host: 'two' is not a shared host of the fleet. Known hosts: one.",
        "sharedHosts[0].capacity: is 0; it must be from 1 to 200 customers.",
        "sharedHosts[0].type: 'cx99' is not a known server type. Known types: cx23, cx33, cx43, cx53, cax11, cax21, "
        "cax31, cax41, cpx11, cpx21, cpx31, cpx41, cpx51, cpx12, cpx22, cpx32, cpx42, cpx52, cpx62, ccx13, ccx23, "
        "ccx33, ccx43, ccx53 and ccx63.",
    ]


def test_of_types_that_are_equally_alike_the_one_that_begins_in_the_same_way_is_offered():
    assert "Did you mean `cx33`?" in complaint(fleet(sharedHosts=[host("one", type="cx34")]))
    assert "Did you mean `cpx31`?" in complaint(fleet(sharedHosts=[host("one", type="cpx3")]))


def test_hosts_without_a_usable_id_make_no_customer_homeless():
    found = complaints(fleet(free("alice", host="one"), sharedHosts=[host("One")]))
    assert found == ["sharedHosts[0].id: 'One' has upper-case letters. Write `one`."], "one mistake, one message"
