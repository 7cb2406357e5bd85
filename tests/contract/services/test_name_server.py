"""The name server, asked by dnspython's resolver and by dnslib, about zones made with Hetzner's own client."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.resolver
import dns.zone
import dnslib
import pytest
from hcloud import Client
from hcloud.zones import Zone, ZoneRecord, ZoneRRSet

from tests.contract.services.clouds import Cloud

_numbers = itertools.count(1)


class Domain:
    """A zone of one test's own."""

    def __init__(self, client: Client, name: str, server: tuple[str, int]) -> None:
        self.client = client
        self.name = name
        self.server = server
        self.zone = client.zones.create(name=name, mode="primary").zone

    def add(self, name: str, rtype: str, *values: str, ttl: int | None = None) -> ZoneRRSet:
        records = [ZoneRecord(value=value) for value in values]
        created = self.client.zones.create_rrset(self.zone, name=name, type=rtype, records=records, ttl=ttl)
        created.action.wait_until_finished()
        return created.rrset

    def ask(self, name: str, rtype: str, **options: object) -> dns.message.Message:
        full = self.name if name == "@" else f"{name}.{self.name}"
        query = dns.message.make_query(full, rtype, **options)
        return dns.query.udp(query, self.server[0], port=self.server[1], timeout=5)

    def over_tcp(self, name: str, rtype: str) -> dns.message.Message:
        query = dns.message.make_query(f"{name}.{self.name}", rtype)
        return dns.query.tcp(query, self.server[0], port=self.server[1], timeout=5)


@pytest.fixture
def domain(shared_api: Cloud, worker_id: str) -> Iterator[Domain]:
    host, port = shared_api.info["dns"].rsplit(":", 1)
    made = Domain(shared_api.client(), f"zone-{worker_id}-{next(_numbers)}.test", (host, int(port)))
    yield made
    made.client.zones.delete(Zone(id=made.zone.id)).action.wait_until_finished()


def texts(response: dns.message.Message) -> list[str]:
    return [item.to_text() for rrset in response.answer for item in rrset]


def test_a_record_is_in_the_first_answer_after_the_api_accepted_it(domain: Domain) -> None:
    domain.add("user123", "A", "198.51.100.7", ttl=60)

    response = domain.ask("user123", "A")

    assert texts(response) == ["198.51.100.7"]
    assert response.answer[0].ttl == 60
    assert response.flags & dns.flags.AA, "the server is the authority for the zone"
    assert not response.flags & dns.flags.RA, "it does not resolve other names"


def test_a_changed_and_a_removed_record_are_gone_at_once(domain: Domain) -> None:
    rrset = domain.add("user123", "A", "198.51.100.7")
    domain.client.zones.set_rrset_records(rrset, [ZoneRecord(value="198.51.100.8")]).wait_until_finished()
    assert texts(domain.ask("user123", "A")) == ["198.51.100.8"]

    domain.client.zones.delete_rrset(rrset).action.wait_until_finished()

    assert domain.ask("user123", "A").rcode() == dns.rcode.NXDOMAIN


def test_a_name_that_does_not_exist_is_denied_with_the_soa(domain: Domain) -> None:
    response = domain.ask("nobody", "A")

    assert response.rcode() == dns.rcode.NXDOMAIN
    assert response.authority[0].rdtype == dns.rdatatype.SOA, "resolvers remember the denial for the SOA's time only"
    assert response.authority[0].name.to_text() == f"{domain.name}."
    assert response.flags & dns.flags.AA


def test_a_name_with_other_records_has_no_data_but_exists(domain: Domain) -> None:
    domain.add("user123", "A", "198.51.100.7")
    domain.add("a.b", "A", "198.51.100.7")

    for name, rtype in (("user123", "AAAA"), ("b", "A")):
        response = domain.ask(name, rtype)
        assert response.rcode() == dns.rcode.NOERROR, f"{name} exists, so NXDOMAIN would deny its other records too"
        assert not response.answer
        assert response.authority[0].rdtype == dns.rdatatype.SOA


def test_an_alias_is_followed_within_the_zones_and_left_to_others_outside(domain: Domain) -> None:
    domain.add("real", "A", "198.51.100.7")
    domain.add("one", "CNAME", "two")
    domain.add("two", "CNAME", f"real.{domain.name}.")
    domain.add("away", "CNAME", "www.example.org.")
    domain.add("dangling", "CNAME", "nowhere")

    assert texts(domain.ask("one", "A")) == [f"two.{domain.name}.", f"real.{domain.name}.", "198.51.100.7"]
    assert texts(domain.ask("one", "CNAME")) == [f"two.{domain.name}."], "who asks for the alias gets the alias"
    away = domain.ask("away", "A")
    assert (texts(away), away.rcode()) == (["www.example.org."], dns.rcode.NOERROR)
    dangling = domain.ask("dangling", "A")
    assert (texts(dangling), dangling.rcode()) == ([f"nowhere.{domain.name}."], dns.rcode.NXDOMAIN)


def test_aliases_in_a_circle_end(domain: Domain) -> None:
    domain.add("one", "CNAME", "two")
    domain.add("two", "CNAME", "one")

    assert domain.ask("one", "A").rcode() == dns.rcode.NOERROR


def test_a_wildcard_covers_what_has_no_records_of_its_own(domain: Domain) -> None:
    domain.add("*.apps", "A", "198.51.100.9")
    domain.add("mine.apps", "A", "198.51.100.10")

    assert texts(domain.ask("any.apps", "A")) == ["198.51.100.9"]
    assert texts(domain.ask("mine.apps", "A")) == ["198.51.100.10"]


def test_case_does_not_matter_and_comes_back_as_asked(domain: Domain) -> None:
    domain.add("user123", "A", "198.51.100.7")

    response = domain.ask("UsEr123", "A")

    assert texts(response) == ["198.51.100.7"]
    assert response.question[0].name.to_text().startswith("UsEr123."), "some resolvers check the case of the question"


def test_the_apex_has_soa_and_name_servers(domain: Domain) -> None:
    assert len(texts(domain.ask("@", "NS"))) == 3
    assert len(texts(domain.ask("@", "SOA"))) == 1


def test_other_zones_are_refused(domain: Domain) -> None:
    for name in ("www.example.org", domain.name.partition(".")[2], f"not{domain.name}"):
        query = dns.message.make_query(name, "A")
        response = dns.query.udp(query, domain.server[0], port=domain.server[1], timeout=5)
        assert response.rcode() == dns.rcode.REFUSED, f"{name} is not this server's to answer"
        assert not response.flags & dns.flags.AA


def test_the_zone_cannot_be_transferred(domain: Domain) -> None:
    with pytest.raises(dns.xfr.TransferError):
        dns.query.inbound_xfr(domain.server[0], dns.zone.Zone(domain.name), port=domain.server[1], timeout=5)


def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp(domain: Domain) -> None:
    values = [f'"{number:03} {"x" * 200}"' for number in range(20)]
    domain.add("long", "TXT", *values)

    cut = domain.ask("long", "TXT")

    assert cut.flags & dns.flags.TC
    assert len(cut.to_wire()) <= 1232
    assert sorted(texts(domain.over_tcp("long", "TXT"))) == values


def test_a_client_without_edns_gets_at_most_512_bytes(domain: Domain) -> None:
    domain.add("mid", "TXT", *[f'"{number:03} {"x" * 150}"' for number in range(5)])

    plain = domain.ask("mid", "TXT", use_edns=False)
    extended = domain.ask("mid", "TXT", use_edns=0, payload=1232)

    assert plain.flags & dns.flags.TC
    assert not extended.flags & dns.flags.TC
    assert extended.edns == 0


def test_every_type_that_a_zone_can_hold_is_served(domain: Domain) -> None:
    cases = {
        "AAAA": "2001:db8::1",
        "CAA": '0 issue "letsencrypt.org"',
        "HTTPS": '1 . alpn="h2,h3"',
        "MX": "10 mail.example.org.",
        "SRV": "1 2 443 target.example.org.",
        "TLSA": "3 1 1 " + "ab" * 32,
        "TXT": '"v=spf1 -all"',
    }
    for rtype, value in cases.items():
        domain.add(rtype.lower(), rtype, value)

        assert [text.lower() for text in texts(domain.ask(rtype.lower(), rtype))] == [value], rtype


def test_a_part_that_was_given_away_is_referred_to_its_servers(domain: Domain) -> None:
    domain.add("child", "NS", "ns.child", "ns.example.org.")
    domain.add("ns.child", "A", "198.51.100.53")

    response = domain.ask("deep.child", "A")

    assert not response.answer
    assert not response.flags & dns.flags.AA, "the child's servers are the authority"
    assert response.authority[0].rdtype == dns.rdatatype.NS
    assert [item.to_text() for rrset in response.additional for item in rrset] == ["198.51.100.53"]


def test_who_asks_for_any_gets_the_short_answer(domain: Domain) -> None:
    domain.add("user123", "A", "198.51.100.7")

    assert [rrset.rdtype for rrset in domain.ask("user123", "ANY").answer] == [dns.rdatatype.HINFO]


def test_a_client_with_its_own_codec_understands_the_answer(domain: Domain) -> None:
    domain.add("user123", "A", "198.51.100.7", ttl=77)

    for tcp in (False, True):
        question = dnslib.DNSRecord.question(f"user123.{domain.name}", "A")
        answer = dnslib.DNSRecord.parse(question.send(*domain.server, tcp=tcp, timeout=5))
        assert [(str(record.rdata), record.ttl) for record in answer.rr] == [("198.51.100.7", 77)]


def test_garbage_is_answered_with_an_error_and_harms_nobody(domain: Domain) -> None:
    domain.add("user123", "A", "198.51.100.7")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"\x12\x34" + b"\x01\x00" + b"\x00\x01" + b"\x00" * 6 + b"\xff\xff\xff", domain.server)
        answer = client.recv(512)
        assert answer[:2] == b"\x12\x34"
        assert answer[3] & 0x0F == dns.rcode.FORMERR
        client.sendto(b"short", domain.server)
        client.sendto(dns.message.make_response(dns.message.make_query("a.test", "A")).to_wire(), domain.server)
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(512)

    assert texts(domain.ask("user123", "A")) == ["198.51.100.7"]


async def test_a_tcp_connection_takes_many_questions(domain: Domain) -> None:
    domain.add("user123", "A", "198.51.100.7")
    reader, writer = await asyncio.open_connection(*domain.server)
    for _ in range(3):
        wire = dns.message.make_query(f"user123.{domain.name}", "A").to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await reader.readexactly(2), "big")
        assert texts(dns.message.from_wire(await reader.readexactly(length))) == ["198.51.100.7"]
    writer.close()
    await writer.wait_closed()
