"""Pure functions from what was decided (`clawdet_infra.layout`) to the text that is deployed."""

from clawdet_infra.render.bundle import Bundle, BundleFile, bundle, host_bundle, site
from clawdet_infra.render.environment import env_file, environment
from clawdet_infra.render.payload import (
    REMOVE_COMMAND,
    deploy_command,
    host_payload,
    host_summary,
    payload,
    summary,
)
from clawdet_infra.render.server import cloud_init

__all__ = [
    "REMOVE_COMMAND",
    "Bundle",
    "BundleFile",
    "bundle",
    "cloud_init",
    "deploy_command",
    "env_file",
    "environment",
    "host_bundle",
    "host_payload",
    "host_summary",
    "payload",
    "site",
    "summary",
]
