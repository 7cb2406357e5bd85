"""What an authoritative name server says to a question, without the network around it (RFC 1034, 2308, 6891, 8482)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

_UDP_LIMIT = 1232
"""Bytes of an answer that no path fragments; a client may ask for less, and gets at most 512 without EDNS."""
_PLAIN_UDP_LIMIT = 512
_LONGEST_CHAIN = 16


class Records(Protocol):
    """Some records of one name and type."""

    @property
    def ttl(self) -> int:
        """Seconds."""
        ...

    @property
    def values(self) -> tuple[str, ...]:
        """As in a zone file, names in them absolute."""
        ...

    @property
    def type(self) -> str:
        """`CNAME` may stand for any type that was asked for."""
        ...


class NamedZone(Protocol):
    """A zone that this server is authoritative for."""

    @property
    def name(self) -> str:
        """Without a dot at the end."""
        ...


class Source(Protocol):
    """Where the records are; names are fully qualified, in lower case and without a dot at the end."""

    def zone_of(self, name: str) -> NamedZone | None:
        """The zone that a name is in."""
        ...

    def lookup(self, name: str, rtype: str) -> Sequence[Records]:
        """Records of a name and type, or its CNAME."""
        ...

    def name_exists(self, name: str) -> bool:
        """Whether there is anything at or below a name."""
        ...


def respond(source: Source, request: bytes, *, stream: bool) -> bytes | None:
    """The message that answers `request`, or None where silence is right: for what is no question at all.

    Over UDP (`stream` False) an answer that is too long is cut and marked, so that the client asks again over TCP.
    """
    try:
        query = dns.message.from_wire(request, ignore_trailing=True)
    except dns.exception.DNSException:
        return _malformed(request)
    if query.flags & dns.flags.QR:
        return None
    response = dns.message.make_response(query, our_payload=_UDP_LIMIT)
    response.flags &= ~dns.flags.RA
    if query.edns > 0:
        response.set_rcode(dns.rcode.BADVERS)
    elif query.opcode() != dns.opcode.QUERY:
        response.set_rcode(dns.rcode.NOTIMP)
    elif len(query.question) != 1:
        response.set_rcode(dns.rcode.FORMERR)
    else:
        _answer(source, query.question[0], response)
    if stream:
        return response.to_wire()
    wanted = query.payload if query.edns == 0 else _PLAIN_UDP_LIMIT
    return response.to_wire(max_size=max(_PLAIN_UDP_LIMIT, min(wanted, _UDP_LIMIT)), prefer_truncation=True)


def _malformed(request: bytes) -> bytes | None:
    """FORMERR under the id of a message that cannot be read, unless it is an answer or shorter than a header."""
    if len(request) < 12 or request[2] & 0x80:
        return None
    return request[:2] + bytes([0x80 | request[2] & 0x79, dns.rcode.FORMERR]) + bytes(8)


def _answer(source: Source, question: dns.rrset.RRset, response: dns.message.Message) -> None:
    zone = source.zone_of(_plain(question.name))
    transfer = question.rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
    if zone is None or transfer or question.rdclass != dns.rdataclass.IN:
        response.set_rcode(dns.rcode.REFUSED)
        return
    if _refer(source, zone, question, response):
        return
    response.flags |= dns.flags.AA
    if question.rdtype == dns.rdatatype.ANY:
        response.answer.append(_rrset(question.name, 3600, "HINFO", ('"RFC8482" ""',)))
        return
    name = question.name
    wanted = dns.rdatatype.to_text(question.rdtype)
    for _ in range(_LONGEST_CHAIN):
        found = source.lookup(_plain(name), wanted)
        if not found:
            _deny(source, name, response)
            return
        response.answer += [_rrset(name, records.ttl, records.type, records.values) for records in found]
        if wanted == "CNAME" or found[0].type != "CNAME":
            return
        name = dns.name.from_text(found[0].values[0])
        if source.zone_of(_plain(name)) is None:
            # The rest of the chain is another server's to tell.
            return


def _deny(source: Source, name: dns.name.Name, response: dns.message.Message) -> None:
    """No such name, or no such records; the zone's SOA says for how long that may be remembered."""
    plain = _plain(name)
    zone = source.zone_of(plain)
    if zone is None:
        return
    if not source.name_exists(plain):
        response.set_rcode(dns.rcode.NXDOMAIN)
    for soa in source.lookup(zone.name, "SOA"):
        seconds = min(soa.ttl, int(soa.values[0].split()[6]))
        response.authority.append(_rrset(dns.name.from_text(zone.name), seconds, "SOA", soa.values))


def _refer(source: Source, zone: NamedZone, question: dns.rrset.RRset, response: dns.message.Message) -> bool:
    """Name the servers of a part of the zone that was given away, where the question is about such a part."""
    origin = dns.name.from_text(zone.name)
    name = question.name
    if question.rdtype == dns.rdatatype.DS and name != origin:
        # A DS record is the parent's, so it is answered here although the name below is another's.
        name = name.parent()
    cut: tuple[dns.name.Name, Records] | None = None
    while name != origin:
        servers = [found for found in source.lookup(_plain(name), "NS") if found.type == "NS"]
        if servers:
            cut = name, servers[0]
        name = name.parent()
    if cut is None:
        return False
    owner, delegation = cut
    response.authority.append(_rrset(owner, delegation.ttl, "NS", delegation.values))
    for server in delegation.values:
        for kind in ("A", "AAAA"):
            glue = source.lookup(server.rstrip(".").lower(), kind)
            response.additional += [
                _rrset(dns.name.from_text(server), found.ttl, kind, found.values)
                for found in glue
                if found.type == kind
            ]
    return True


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _rrset(name: dns.name.Name, ttl: int, rtype: str, values: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, ttl, dns.rdataclass.IN, rtype, list(values))
