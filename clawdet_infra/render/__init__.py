"""Renders the layout: pure functions to the text that is deployed."""

from clawdet_infra.render.bundle import Bundle, BundleFile, bundle, host_bundle, site
from clawdet_infra.render.environment import env_file, environment
from clawdet_infra.render.payload import (
    agent_path,
    deploy_command,
    host_payload,
    host_summary,
    payload,
    remove_command,
    summary,
)
from clawdet_infra.render.server import cloud_init, user_data

__all__ = [
    "Bundle",
    "BundleFile",
    "agent_path",
    "bundle",
    "cloud_init",
    "deploy_command",
    "env_file",
    "environment",
    "host_bundle",
    "host_payload",
    "host_summary",
    "payload",
    "remove_command",
    "site",
    "summary",
    "user_data",
]
