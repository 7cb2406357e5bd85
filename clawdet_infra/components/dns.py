"""The address record of one name."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud


@dataclass(frozen=True)
class DnsRecordsArgs:
    """`name` is relative to `zone` (`user123` in `clawdet.com`); `ttl` is in seconds."""

    zone: pulumi.Input[str]
    name: str
    ipv4: pulumi.Input[str]
    ttl: int
    labels: dict[str, str]


class DnsRecords(pulumi.ComponentResource):
    """The A record that leads a customer's name to the server.

    There is no AAAA record: Docker hands over every connection over IPv6 as its own, so all such callers would be one
    to the gateway, which counts wrong tokens and open connections by address.
    """

    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawdet:index:DnsRecords", name, {}, opts)
        self.ready = [
            hcloud.ZoneRrset(
                f"{name}-a",
                zone=args.zone,
                name=args.name,
                type="A",
                ttl=args.ttl,
                records=[hcloud.ZoneRrsetRecordArgs(value=args.ipv4)],
                labels=args.labels,
                # A name has one record set of a type, so the new one cannot be made beside the old.
                opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
            )
        ]
        self.register_outputs({"name": args.name})
