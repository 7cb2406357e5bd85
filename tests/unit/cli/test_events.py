"""Times of an update, from the engine's log of events."""

import json

from clawdet_infra.cli.events import Span, customer_spans


def event(timestamp: int, name: str, op: str = "create", kind: str = "resourcePreEvent") -> str:
    urn = f"urn:pulumi:local::clawdet::clawdet:index:Customer$hcloud:index/server:Server::{name}"
    return json.dumps({"sequence": 1, "timestamp": timestamp, kind: {"metadata": {"op": op, "urn": urn}}})


def test_a_customer_takes_from_its_first_change_to_its_last() -> None:
    log = "\n".join(
        [
            event(100, "ada"),
            event(101, "ada-server"),
            event(125, "ada-health", kind="resOutputsEvent"),
            json.dumps({"sequence": 9, "timestamp": 130, "summaryEvent": {"durationSeconds": 30}}),
        ]
    )
    assert customer_spans(log, ["ada"]) == {"ada": Span(100, 125)}
    assert customer_spans(log, ["ada"])["ada"].seconds == 25


def test_a_customer_that_was_left_alone_has_no_time() -> None:
    assert customer_spans(event(100, "ada-server", op="same"), ["ada"]) == {}


def test_an_id_that_begins_with_another_id_is_told_apart() -> None:
    log = "\n".join([event(1, "a-server"), event(5, "a-b-server")])
    assert customer_spans(log, ["a", "a-b"]) == {"a": Span(1, 1), "a-b": Span(5, 5)}


def test_what_all_customers_share_counts_for_none() -> None:
    assert customer_spans(event(1, "base-zone"), ["ada"]) == {}


def test_a_record_which_is_named_after_a_host_name_is_the_customers_that_it_is_in() -> None:
    parent = "urn:pulumi:local::clawdet::clawdet:index:Customer$clawdet:index:DnsRecords::ada-dns"
    urn = "urn:pulumi:local::clawdet::clawdet:index:Customer$hcloud:index/zoneRrset:ZoneRrset::bob-2.clawdet.com/A"
    metadata = {"op": "create", "urn": urn, "new": {"parent": parent}, "old": None}
    log = json.dumps({"sequence": 1, "timestamp": 7, "resourcePreEvent": {"metadata": metadata}})
    assert customer_spans(log, ["ada", "bob"]) == {"ada": Span(7, 7)}
