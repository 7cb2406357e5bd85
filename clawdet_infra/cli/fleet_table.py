"""The table of a stack's customers: where each answers, and whether it does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from clawdet_infra.cli.columns import columns
from clawdet_infra.cli.events import Span
from clawdet_infra.cli.stack import cloud_of, outputs_of
from clawdet_infra.fleet.probe import Target, Verdict, probe_once


def show(stack: str, spans: Mapping[str, Span]) -> bool:
    """Probe all customers of a stack and print the table; True where all of them are healthy."""
    outputs = outputs_of(stack)
    verdicts = asyncio.run(_probe(stack, outputs))
    rows = [("CUSTOMER", "PLAN", "SERVER", "ADDRESS", "URL", "HEALTH", "SECONDS")]
    for identity, customer in outputs["customers"].items():
        verdict = verdicts[identity]
        rows.append(
            (
                identity,
                customer["plan"],
                customer["host"],
                customer["ipv4"],
                customer["url"],
                "healthy" if verdict.healthy else str(verdict.failure),
                str(spans[identity].seconds) if identity in spans else "unchanged",
            )
        )
    print(columns(rows))
    return all(verdict.healthy for verdict in verdicts.values())


async def _probe(stack: str, outputs: Mapping[str, Any]) -> dict[str, Verdict]:
    cloud = cloud_of(stack)
    targets = [
        Target(
            customer=identity,
            url=customer["url"],
            user=customer["user"],
            password=outputs["tokens"][identity]["auth_password"],
            gateway_token=outputs["tokens"][identity]["gateway_token"],
            ipv4=customer["ipv4"],
            resolver=cloud.resolver,
            ca_bundle=cloud.ca_bundle,
        )
        for identity, customer in outputs["customers"].items()
    ]
    verdicts = await asyncio.gather(*(probe_once(target) for target in targets))
    return {target.customer: verdict for target, verdict in zip(targets, verdicts, strict=True)}
