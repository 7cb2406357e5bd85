"""The DNS record of one customer."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawdet_infra.components.former import former_urns
from clawdet_infra.resources import CUSTOMER, FORMER_DNS_RECORDS, RECORD_SET


@dataclass(frozen=True)
class DnsRecordArgs:
    """`name` is relative to `zone` (`user123` in `clawdet.com`); `ttl` is in seconds; `customer` is the owner's id."""

    customer: str
    zone: pulumi.Input[str]
    name: str
    ipv4: pulumi.Input[str]
    ttl: int
    labels: dict[str, str]


def dns_record(name: str, args: DnsRecordArgs, parent: pulumi.Resource) -> hcloud.ZoneRrset:
    """Declare the A record of a customer's name; `name` is that of `CustomerLayout.record`.

    A new name is a new record, created before anything is deployed; the old name's record is deleted at the end of the
    update.  A name taken over from another customer is that customer's record, updated in place.

    Customers have no AAAA record: Docker forwards IPv6 connections from its own address, so all such clients would
    share one address at the gateway, which counts wrong tokens and open connections by address.
    """
    # Until November 2026 it was named after the customer.
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
            # A name has one record set per type, so the old one is deleted first.
            delete_before_replace=True,
            aliases=former_urns(RECORD_SET, *names, within=f"{CUSTOMER}${FORMER_DNS_RECORDS}"),
        ),
    )
