"""All policies, in the order of the documentation."""

from __future__ import annotations

from pulumi_policy import Policy

from policy import containers, firewalls, protection, records, secrecy

NAME = "clawdet"
DESCRIPTION = "What every fleet of OpenClaw gateways has to keep to, whatever its program says"

POLICIES: tuple[Policy, ...] = (
    containers.IMAGES,
    containers.MEMORY,
    containers.HARDENING,
    firewalls.SSH,
    firewalls.PORTS,
    firewalls.COVERAGE,
    protection.SERVERS,
    secrecy.SHAPES,
    secrecy.VALUES,
    records.TTL,
    records.UNIQUE,
)
