"""The address record of one name."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from clawdet_infra.resources import DNS_RECORDS


@dataclass(frozen=True)
class DnsRecordsArgs:
    """`name` is relative to `zone` (`user123` in `clawdet.com`); `ttl` is in seconds.

    `resource` is what Pulumi calls the record; see `CustomerLayout.record`.
    """

    resource: str
    zone: pulumi.Input[str]
    name: str
    ipv4: pulumi.Input[str]
    ttl: int
    labels: dict[str, str]


class DnsRecords(pulumi.ComponentResource):
    """The A record that leads a customer's name to the server.

    A new name is a new record, made before anything is deployed; that of the old name goes at the end of the update.
    A name that another customer had is that customer's record, changed in place.

    There is no AAAA record: Docker hands over every connection over IPv6 as its own, so all such callers would be one
    to the gateway, which counts wrong tokens and open connections by address.
    """

    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(DNS_RECORDS, name, {}, opts)
        self.ready = [
            hcloud.ZoneRrset(
                args.resource,
                zone=args.zone,
                name=args.name,
                type="A",
                ttl=args.ttl,
                records=[hcloud.ZoneRrsetRecordArgs(value=args.ipv4)],
                labels=args.labels,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # A name has one record set of a type, so the new one cannot be made beside the old.
                    delete_before_replace=True,
                    # What the record was called until November 2026, when it was the customer's.
                    aliases=[pulumi.Alias(name=f"{name}-a")],
                ),
            )
        ]
        self.register_outputs({"name": args.name})
