"""The program with a mistake for each policy, as a transformation of what it declares.

It takes the place of `__main__.py` in a stack of the tests.
"""

from __future__ import annotations

import base64
import bz2
import json
from typing import Any

import pulumi
import pulumi_hcloud as hcloud
import yaml

from clawdet_infra.config import settings
from clawdet_infra.program import declare


def spoil(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    props, opts = dict(args.props), args.opts
    if args.type_ == "hcloud:index/firewall:Firewall":
        rule = {"direction": "in", "protocol": "tcp"}
        anywhere = [hcloud.FirewallRuleArgs(**rule, port=port, source_ips=["0.0.0.0/0"]) for port in ("22", "18789")]
        props["rules"] = [*props["rules"], *anywhere]
    elif args.type_ == "hcloud:index/server:Server":
        key = settings.load().customers[0].anthropic_api_key.get_secret_value()
        props["labels"] = {**props["labels"], "note": key, "clawdet-fleet": "elsewhere"}
        props["delete_protection"] = False
    elif args.type_ == "hcloud:index/zoneRrset:ZoneRrset":
        props |= {"name": "same", "ttl": 5}
    elif args.type_ == "command:remote:Command":
        props["stdin"] = pulumi.Output.secret(props["stdin"]).apply(_spoiled_payload)
    else:
        return None
    return pulumi.ResourceTransformationResult(props, opts)


def _spoiled_payload(payload: str) -> str:
    outer: dict[str, Any] = json.loads(payload)
    inner = json.loads(bz2.decompress(base64.b85decode(outer["packed"])))
    compose = yaml.safe_load(inner["files"]["compose.yaml"]["content"])
    for service in compose["services"].values():
        service |= {"read_only": False, "mem_limit": "1024m", "image": str(service["image"]).partition("@")[0]}
    inner["files"]["compose.yaml"]["content"] = yaml.safe_dump(compose)
    outer["packed"] = base64.b85encode(bz2.compress(json.dumps(inner).encode())).decode()
    return json.dumps(outer)


pulumi.runtime.register_stack_transformation(spoil)
declare(settings.load()).export()
