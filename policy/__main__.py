"""Serves the policy pack to the engine, until the engine stops it."""

from pulumi_policy import EnforcementLevel, PolicyPack

from policy.pack import DESCRIPTION, NAME, POLICIES

PolicyPack(NAME, list(POLICIES), EnforcementLevel.MANDATORY, description=DESCRIPTION)
