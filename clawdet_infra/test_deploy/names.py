"""A name server of one name, for a server that no DNS record leads to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address

import dns.exception
import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

_TTL_SECONDS = 1
_LONGEST = 4096


@contextlib.contextmanager
def resolver_of(name: str, address: IPv4Address) -> Iterator[str]:
    """Answer questions about a name's A record with an address until the end of the block; yields `127.0.0.1:PORT`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(listening, name, str(address)), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            # Closing a socket does not wake who reads from it; a datagram of nothing does.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
                waking.sendto(b"", ("127.0.0.1", port))
            thread.join()


def _serve(listening: socket.socket, name: str, address: str) -> None:
    while True:
        text, asker = listening.recvfrom(_LONGEST)
        if not text:
            return
        try:
            query = dns.message.from_wire(text)
        except dns.exception.DNSException:
            continue
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        for question in query.question:
            asked = question.name.to_text(omit_final_dot=True).lower()
            if asked == name.lower() and question.rdtype == dns.rdatatype.A:
                answer.answer.append(dns.rrset.from_text(question.name, _TTL_SECONDS, "IN", "A", address))
        listening.sendto(answer.to_wire(), asker)
