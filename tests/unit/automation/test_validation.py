"""Whether a customer can be had, told before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from clawdet_infra.automation import ImmutableError, InputError, SetupError, TakenError
from clawdet_infra.automation.base import Base
from clawdet_infra.automation.validation import check_of
from clawdet_infra.catalog import Record, Related
from clawdet_infra.config import Problem
from clawdet_infra.config.claims import Entry
from tests.unit.automation.samples import BOT_TOKEN, CANARY, GATEWAY_TOKEN, among, base, customer, hosts

OTHER_TOKEN = "fedcba9876543210" * 4


def checked(record: Record, related: Related | None = None, over: Base | None = None) -> Record:
    return check_of(over or base())(among() if related is None else related, record)


def refused(record: Record, related: Related | None = None, over: Base | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        checked(record, related, over)
    return caught.value


def free(name: str, host: str | None = None, **more: Any) -> dict[str, Any]:
    return customer(name, "free", host=host, **more)


# --- where free customers live ------------------------------------------------------------------------------------


def test_a_paying_customer_is_taken_as_it_is() -> None:
    record = customer("bob")
    assert checked(record) == record


def test_a_free_customer_gets_the_emptiest_host() -> None:
    over = base(free("ada", "shared-1"), sharedHosts=hosts(shared_1=3, shared_2=3, shared_3=3))
    assert checked(free("bob"), among(free("carl", "shared-3")), over)["host"] == "shared-2"


def test_customers_of_the_base_without_a_host_count_on_the_only_one() -> None:
    over = base(free("ada"), sharedHosts=hosts(shared_1=2))
    assert checked(free("bob"), over=over)["host"] == "shared-1"
    assert "full" in str(refused(free("carl"), among(free("bob", "shared-1")), over))


def test_what_counts_is_the_room_that_is_left_and_not_how_many_are_there() -> None:
    over = base(sharedHosts=hosts(small=1, large=7))
    related = among(free("ada", "large"), free("carl", "large"))
    assert checked(free("bob"), related, over)["host"] == "large"


def test_a_host_without_memory_for_one_more_is_passed_over() -> None:
    over = base(sharedHosts=hosts(crowded=7, other=2))
    big = {"memory": 4096}
    related = among(*(free(f"c{number}", "crowded", limits=big) for number in range(3)))
    assert checked(free("bob"), related, over)["host"] == "crowded", "by the number it has the most room"
    assert checked(free("bob", limits=big), related, over)["host"] == "other"


def test_a_free_customer_stays_on_its_host_though_another_is_emptier() -> None:
    over = base(sharedHosts=hosts(shared_1=3, shared_2=3))
    related = among(free("ada", "shared-1"), before=free("bob", "shared-1"))
    assert checked(free("bob"), related, over)["host"] == "shared-1"


def test_a_host_that_is_asked_for_is_taken() -> None:
    over = base(sharedHosts=hosts(shared_1=3, shared_2=3))
    assert checked(free("bob", "shared-2"), among(free("ada", "shared-2")), over)["host"] == "shared-2"


def test_full_hosts_are_told_with_what_to_do() -> None:
    over = base(sharedHosts=hosts(shared_1=1, shared_2=1))
    error = refused(free("bob"), among(free("ada", "shared-1"), free("carl", "shared-2")), over)
    assert not isinstance(error, TakenError)
    assert str(error) == (
        "customer bob: all shared hosts are full. Add one under `sharedHosts` of stack prod, and bring it up with "
        "`clawdet up -s prod`."
    )


def test_a_base_without_shared_hosts_has_no_free_customers() -> None:
    assert "sharedHosts" in str(refused(free("bob"), over=base(sharedHosts=None)))


def test_a_free_customer_with_the_id_of_a_host_is_not_told_that_hosts_are_full() -> None:
    error = refused(free("shared-1"))
    assert isinstance(error, TakenError)
    assert "is also the id of customer shared-1" in str(error)


def test_a_mistake_of_a_free_customer_is_told_as_itself() -> None:
    assert "limits.memory" in str(refused(free("bob", limits={"memory": -1})))


# --- what cannot change -------------------------------------------------------------------------------------------

SERVER = {
    "ipv4": "5.75.200.7",
    "hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHJrSmEsAEpu4Fq1J7aGFQ1BhJbGXBCfFBNGHa1DPtL",
}
OTHER_SERVER = {**SERVER, "ipv4": "5.75.200.8"}
CHANGES = {
    "from shared to a server of its own": (free("bob", "shared-1"), customer("bob")),
    "from a server of its own to shared": (customer("bob"), free("bob")),
    "from one existing server to another": (
        customer("bob", existingServer=SERVER),
        customer("bob", existingServer=OTHER_SERVER),
    ),
    "from a rented server to an existing one": (customer("bob"), customer("bob", existingServer=SERVER)),
    "from an existing server to a rented one": (customer("bob", existingServer=SERVER), customer("bob")),
    "to another location": (customer("bob"), customer("bob", server={"location": "nbg1"})),
    "from one shared host to another": (free("bob", "shared-1"), free("bob", "shared-2")),
}


@pytest.mark.parametrize(("before", "record"), CHANGES.values(), ids=CHANGES.keys())
def test_nothing_moves_a_customer_away_from_its_data(before: Record, record: Record) -> None:
    over = base(sharedHosts=hosts(shared_1=3, shared_2=3))
    with pytest.raises(ImmutableError, match=r"^customer bob: .* Deprovision the customer, and provision it anew\.$"):
        checked(record, among(before=before), over)


def test_what_keeps_the_server_can_change() -> None:
    before = customer("bob", server={"type": "cx23", "location": "fsn1"})
    record = customer("bob", "enterprise", subdomain="robert", server={"type": "cx43", "location": "fsn1"})
    assert checked(record, among(before=before)) == record


def test_a_field_of_the_wrong_shape_is_a_mistake_and_no_crash() -> None:
    error = refused(customer("bob", server="cx43", existingServer="192.0.2.7"), among(before=customer("bob")))
    assert error.action == "fix_input"


# --- who has what -------------------------------------------------------------------------------------------------

CLASHES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the id": (customer("bob"), customer("bob", subdomain="robert")),
    "the subdomain": (customer("ada", subdomain="assistant"), customer("bob", subdomain="assistant")),
    "an id that is the other's subdomain": (customer("ada", subdomain="bob"), customer("bob")),
    "a subdomain that differs in dots and hyphens": (
        customer("ada", subdomain="a.team"),
        customer("bob", subdomain="a-team"),
    ),
    "a subdomain below another's": (customer("ada"), customer("bob", subdomain="x.ada")),
    "a subdomain above another's": (customer("ada", subdomain="x.bob"), customer("bob")),
    "the gateway token": (customer("ada", gatewayToken=GATEWAY_TOKEN), customer("bob", gatewayToken=GATEWAY_TOKEN)),
    "the Telegram token": (customer("ada", telegramBotToken=BOT_TOKEN), customer("bob", telegramBotToken=BOT_TOKEN)),
    "another token of the Telegram bot": (
        customer("ada", telegramBotToken=BOT_TOKEN),
        customer("bob", telegramBotToken=f"{BOT_TOKEN[:-1]}x"),
    ),
    "the existing server": (customer("ada", existingServer=SERVER), customer("bob", existingServer=SERVER)),
    "the existing server's IPv6 address in another spelling": (
        customer("ada", existingServer={**SERVER, "ipv6": "2a01:4f8:c17:abcd::1"}),
        customer("bob", existingServer={**OTHER_SERVER, "ipv6": "2A01:04f8:c17:abcd:0:0:0:1"}),
    ),
}


@pytest.mark.parametrize(("holder", "record"), CLASHES.values(), ids=CLASHES.keys())
@pytest.mark.parametrize("listed", [True, False], ids=["who is listed", "who signed up"])
def test_what_another_one_has_is_taken(holder: Record, record: Record, listed: bool) -> None:
    error = refused(record, *((among(), base(holder)) if listed else (among(holder), base())))
    assert isinstance(error, TakenError)
    assert error.customer == "bob"
    assert str(error).startswith("customer bob: ")


def test_the_holder_is_named_without_places_in_lists_that_the_caller_does_not_have() -> None:
    error = refused(customer("bob", subdomain="ada"), among(customer("zoe"), customer("ada")))
    assert str(error) == (
        "customer bob: subdomain 'ada' is already the subdomain of customer ada. Choose another subdomain."
    )
    assert [one.field for one in error.problems] == ["subdomain"]


def test_several_mistakes_are_told_at_once() -> None:
    error = refused(customer("bob", anthropicApiKey="short", limits={"cpus": 0}))
    assert {one.field for one in error.problems} == {"anthropicApiKey", "limits.cpus"}
    assert not isinstance(error, TakenError)


def test_an_id_that_is_none_is_told_by_its_field() -> None:
    error = refused(customer("Not An Id"))
    assert [one.field for one in error.problems] == ["id"]


# --- what is not the caller's -------------------------------------------------------------------------------------


def test_what_others_do_wrong_is_not_blamed_on_the_newcomer() -> None:
    over = base(sharedHosts=hosts(shared_1=3))
    with pytest.raises(SetupError) as caught:
        checked(free("bob", "shared-1"), among(free("ada", "shared-9")), over)
    assert caught.value.action == "escalate", "the caller has nothing to mend"
    assert "do not fit those who signed up before" in str(caught.value)
    assert "ada's host 'shared-9' is not a shared host" in str(caught.value)


def test_one_who_signed_up_and_is_listed_too_is_not_blamed_on_the_newcomer() -> None:
    """Each of the two stacks can be updated by itself."""
    over = base(free("eve", "shared-1"), sharedHosts=hosts(shared_1=5))
    twice = free("eve", "shared-1")
    assert checked(free("bob"), among(twice), over)["host"] == "shared-1"
    assert isinstance(refused(free("eve", "shared-1"), among(twice), over), TakenError)


def test_nobody_is_added_to_a_host_that_has_too_many_already_whatever_the_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The operator has lowered the capacity since."""
    over = base(sharedHosts=hosts(shared_1=1))
    related = among(free("ada", "shared-1"), free("carl", "shared-1"))
    problem = Entry.problem

    def worded_alike(entry: Entry[Any], field: str, message: str, *more: Any, **options: Any) -> Problem:
        return problem(entry, field, "is wrong.", *more, **options)

    monkeypatch.setattr(Entry, "problem", worded_alike)
    assert refused(free("bob", "shared-1"), related, over).problems
    assert "all shared hosts are full" in str(refused(free("bob"), related, over))


def test_nobody_is_placed_on_a_host_that_is_not_up() -> None:
    over = base(sharedHosts=hosts(shared_1=1, shared_2=5))
    over.outputs["base"]["hosts"].pop("shared-2")
    assert checked(free("bob"), over=over)["host"] == "shared-1"
    with pytest.raises(SetupError, match="the shared host shared-2 is not up"):
        checked(free("bob", "shared-2"), over=over)


def test_beside_what_others_do_wrong_the_newcomers_own_mistake_is_told() -> None:
    over = base(sharedHosts=hosts(shared_1=3))
    error = refused(free("bob", "shared-1", limits={"cpus": 0}), among(free("ada", "shared-9")), over)
    assert [one.field for one in error.problems] == ["limits.cpus"]


# --- secrets ------------------------------------------------------------------------------------------------------

OWN = {"anthropicApiKey": CANARY, "gatewayToken": OTHER_TOKEN}
LEAKS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "a key of the wrong shape": (customer("bob", anthropicApiKey=f"x {CANARY}"), None),
    "a key for a subdomain": (customer("bob", subdomain=CANARY), None),
    "a key for a plan": (customer("bob", CANARY), None),
    "a key for a host": (customer("bob", "free", host=CANARY), None),
    "a token of the wrong shape": (customer("bob", gatewayToken=f"{OTHER_TOKEN}0"), None),
    "a token for Telegram": (customer("bob", telegramBotToken=OTHER_TOKEN), None),
    "a shared token": (customer("bob", **OWN), customer("ada", **OWN)),
    "another mistake": (customer("bob", limits={"cpus": 0}, **OWN), customer("ada", anthropicApiKey=CANARY)),
}


@pytest.mark.parametrize(("record", "other"), LEAKS.values(), ids=LEAKS.keys())
def test_no_refusal_tells_a_secret(record: Record, other: Record | None) -> None:
    error = refused(record, among(*([other] if other else [])))
    told = f"{error!r} {error} {error.problems!r}"
    assert "canary" not in told
    assert OTHER_TOKEN not in told


def test_what_cannot_change_is_told_without_secrets() -> None:
    with pytest.raises(ImmutableError) as caught:
        checked(customer("bob", **OWN), among(before=free("bob", "shared-1", **OWN)))
    assert "canary" not in str(caught.value)
    assert OTHER_TOKEN not in str(caught.value)
