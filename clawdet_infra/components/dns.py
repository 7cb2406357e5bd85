"""The address records of one name."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud


@dataclass(frozen=True)
class DnsRecordsArgs:
    """`name` is relative to `zone` (`user123` in `clawdet.com`); `ttl` is in seconds.

    `ipv6` is None for a server without.
    """

    zone: pulumi.Input[str]
    name: str
    ipv4: pulumi.Input[str]
    ipv6: pulumi.Input[str] | None
    ttl: int
    labels: dict[str, str]


class DnsRecords(pulumi.ComponentResource):
    """An A record, and an AAAA record where the server has IPv6, that lead a customer's name to the server."""

    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clawdet:index:DnsRecords", name, {}, opts)
        self.ready = [
            hcloud.ZoneRrset(
                f"{name}-{kind.lower()}",
                zone=args.zone,
                name=args.name,
                type=kind,
                ttl=args.ttl,
                records=[hcloud.ZoneRrsetRecordArgs(value=address)],
                labels=args.labels,
                # A name has one record set of a type, so the new one cannot be made beside the old.
                opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
            )
            for kind, address in (("A", args.ipv4), ("AAAA", args.ipv6))
            if address is not None
        ]
        self.register_outputs({"name": args.name})
