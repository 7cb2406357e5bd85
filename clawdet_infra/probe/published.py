"""The addresses that a name has beside those that the fleet gave it."""

from __future__ import annotations

import ssl
from ipaddress import IPv6Network

from clawdet_infra.probe.connection import Line, StageError
from clawdet_infra.probe.dns import resolve
from clawdet_infra.probe.result import Failure
from clawdet_infra.probe.target import Target

# Made up by name servers of networks without IPv4; it stands for the A record.
_NAT64 = IPv6Network("64:ff9b::/96")


async def probe_ipv6_records(target: Target, context: ssl.SSLContext) -> None:
    """Connect by TLS to each IPv6 address that the target's name has.

    The fleet publishes IPv4 alone, so such a record was made by somebody else, such as by a wildcard of the zone, and
    callers with IPv6 go where it leads.  Raises StageError where that does not serve the name.  An address that this
    machine has no route to says nothing.
    """
    found = await resolve(target.host, "AAAA", target.resolver, target.request_seconds)
    # No such record is as it should be.  A name server that fails shows by the A record.
    for address in [] if isinstance(found, Failure) else found:
        if address in _NAT64:
            continue
        line = Line(address, target.host, target.port, context, target.request_seconds)
        try:
            await line.reach()
            await line.shake_hands()
        except StageError as error:
            failure = error.failure
            if failure.sign == "unreachable":
                continue
            what = (
                f"{target.host} has the AAAA record {address}, which this fleet does not publish and which does not "
                f"serve the name ({failure.what}); delete it"
            )
            raise StageError("dns", what, failure.last_answer, "wrong-address") from None
        finally:
            line.cut()
            await line.close()
