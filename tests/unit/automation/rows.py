"""Customers as the registry knows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from clawdet_infra.catalog import DesiredState, InstanceRow, Phase

_ROW = InstanceRow(
    id="bob",
    base="prod",
    cell="prod-cell-1",
    subdomain="bob",
    plan="pro",
    host="",
    desired=DesiredState.PRESENT,
    phase=Phase.HEALTHY,
    revision=1,
    applied=1,
    url="https://bob.clawdet.com",
    ipv4="192.0.2.7",
    server="bob",
    image="ghcr.io/openclaw/openclaw:2026.9.6",
    user="bob",
    error="",
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
    changed_at=datetime(2026, 3, 1, tzinfo=UTC),
    deployed_at=datetime(2026, 3, 1, tzinfo=UTC),
    deploy_seconds=30.0,
    stages=[],
)


def row(**changes: Any) -> InstanceRow:
    return replace(_ROW, **changes)
