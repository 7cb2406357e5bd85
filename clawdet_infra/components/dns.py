"""The address record of one name."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawdet_infra.components.former import former_urns
from clawdet_infra.resources import CUSTOMER, FORMER_DNS_RECORDS, RECORD_SET


@dataclass(frozen=True)
class DnsRecordArgs:
    """`name` is relative to `zone` (`user123` in `clawdet.com`); `ttl` is in seconds, and `customer` whose it is."""

    customer: str
    zone: pulumi.Input[str]
    name: str
    ipv4: pulumi.Input[str]
    ttl: int
    labels: dict[str, str]


def dns_record(name: str, args: DnsRecordArgs, parent: pulumi.Resource) -> hcloud.ZoneRrset:
    """Declare the A record that leads a customer's name to the server; `name` is that of `CustomerLayout.record`.

    A new name is a new record, made before anything is deployed; that of the old name goes at the end of the update.
    A name that another customer had is that customer's record, changed in place.

    There is no AAAA record: Docker hands over every connection over IPv6 as its own, so all such callers would be one
    to the gateway, which counts wrong tokens and open connections by address.
    """
    # Until November 2026 it was called after the customer.
    names = (name, f"{args.customer}-dns-a")
    return hcloud.ZoneRrset(
        name,
        zone=args.zone,
        name=args.name,
        type="A",
        ttl=args.ttl,
        records=[hcloud.ZoneRrsetRecordArgs(value=args.ipv4)],
        labels=args.labels,
        opts=pulumi.ResourceOptions(
            parent=parent,
            # A name has one record set of a type, so the new one cannot be made beside the old.
            delete_before_replace=True,
            aliases=former_urns(RECORD_SET, *names, within=f"{CUSTOMER}${FORMER_DNS_RECORDS}"),
        ),
    )
