"""What the DNS service is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud.api.state import State
from localcloud.api.zones.model import Record, Zone, ZoneRRSet

NOW = datetime(2026, 1, 30, tzinfo=UTC)
RECORDS = [
    ("@", "SOA", None, ["hydrogen.ns.hetzner.com. dns.hetzner.com. 0 86400 10800 3600000 3600"]),
    ("@", "NS", 3600, ["hydrogen.ns.hetzner.com.", "oxygen"]),
    ("@", "MX", None, ["10 mail", "20 mail.example.com."]),
    ("user1", "A", 60, ["192.0.2.1", "192.0.2.2"]),
    ("user1", "AAAA", None, ["2001:db8::1"]),
    ("www", "CNAME", None, ["user1"]),
    ("root", "CNAME", None, ["@"]),
    ("a.b", "TXT", None, ['"deep"']),
    ("*", "A", None, ["192.0.2.9"]),
    ("*.wild", "CNAME", None, ["user1"]),
    ("_sip._tcp", "SRV", None, ["10 20 5060 sip"]),
]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State.open(tmp_path / "state.db")
    with opened.change():
        opened.zone_table.put(Zone(1, "clawdet.test", NOW, ttl=300, serial=2026013007))
        opened.zone_table.put(Zone(2, "other.test", NOW, mode="secondary"))
        for number, (name, rtype, ttl, values) in enumerate(RECORDS, start=10):
            opened.rrsets.put(ZoneRRSet(number, 1, name, rtype, tuple(Record(value) for value in values), ttl))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("name", "rtype", "found"),
    [
        ("user1.clawdet.test", "A", ("A", 60, ("192.0.2.1", "192.0.2.2"))),
        ("user1.clawdet.test", "AAAA", ("AAAA", 300, ("2001:db8::1",))),
        ("clawdet.test", "NS", ("NS", 3600, ("hydrogen.ns.hetzner.com.", "oxygen.clawdet.test."))),
        ("clawdet.test", "MX", ("MX", 300, ("10 mail.clawdet.test.", "20 mail.example.com."))),
        ("www.clawdet.test", "A", ("CNAME", 300, ("user1.clawdet.test.",))),
        ("www.clawdet.test", "CNAME", ("CNAME", 300, ("user1.clawdet.test.",))),
        ("root.clawdet.test", "A", ("CNAME", 300, ("clawdet.test.",))),
        ("_sip._tcp.clawdet.test", "SRV", ("SRV", 300, ("10 20 5060 sip.clawdet.test.",))),
        ("nobody.clawdet.test", "A", ("A", 300, ("192.0.2.9",))),
        ("deep.nobody.clawdet.test", "A", ("A", 300, ("192.0.2.9",))),
        ("x.wild.clawdet.test", "A", ("CNAME", 300, ("user1.clawdet.test.",))),
    ],
)
def test_a_question_is_answered(state: State, name: str, rtype: str, found: tuple[object, ...]) -> None:
    (rrset,) = state.lookup(name, rtype)

    assert (rrset.type, rrset.ttl, rrset.values) == found
    assert rrset.name == name


@pytest.mark.parametrize(
    ("name", "rtype", "exists"),
    [
        ("user1.clawdet.test", "TXT", True),
        ("clawdet.test", "A", True),
        ("b.clawdet.test", "A", True),
        ("x.user1.clawdet.test", "A", False),
        ("x.b.clawdet.test", "A", False),
        ("nobody.clawdet.test", "AAAA", True),
        ("wild.clawdet.test", "A", True),
        ("clawdet.org", "A", False),
        ("test", "A", False),
        ("notclawdet.test", "A", False),
        ("host.other.test", "A", False),
    ],
)
def test_a_question_without_an_answer_tells_whether_the_name_exists(
    state: State, name: str, rtype: str, exists: bool
) -> None:
    assert state.lookup(name, rtype) == []
    assert state.name_exists(name) == exists


def test_the_soa_record_has_the_zones_serial(state: State) -> None:
    (soa,) = state.lookup("clawdet.test", "SOA")

    assert soa.values == ("hydrogen.ns.hetzner.com. dns.hetzner.com. 2026013007 86400 10800 3600000 3600",)


def test_a_name_belongs_to_its_longest_zone(state: State) -> None:
    with state.change():
        state.zone_table.put(Zone(3, "co.test", NOW))
    zones = {name: state.zone_of(name) for name in ("a.b.clawdet.test", "clawdet.test", "x.co.test", "a.org")}

    assert {name: zone and zone.name for name, zone in zones.items()} == {
        "a.b.clawdet.test": "clawdet.test",
        "clawdet.test": "clawdet.test",
        "x.co.test": "co.test",
        "a.org": None,
    }
    assert set(state.zones()) == {"clawdet.test", "other.test", "co.test"}


def test_a_removed_record_is_gone_at_once(state: State) -> None:
    with state.change():
        for rrset in state.rrsets.find("at", (1, "a.b")):
            state.rrsets.remove(rrset.id)

    assert state.lookup("a.b.clawdet.test", "TXT") == []
    assert state.lookup("b.clawdet.test", "A")[0].values == ("192.0.2.9",), "the name is the wildcard's again"
