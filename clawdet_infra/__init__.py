"""Clawdet's fleet: from a list of customers to a private OpenClaw gateway for each, declared with Pulumi."""
