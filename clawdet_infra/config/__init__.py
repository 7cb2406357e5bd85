"""The validated configuration: frozen models of the fleet, loaded from YAML, and every rule about them.

This package does not depend on Pulumi.  `load_fleet` turns the raw configuration into a `Fleet` or reports all its
problems; `check_file` does the same for a stack file, without the engine, with line numbers.
"""

from clawdet_infra.config.access import AcmeAccess, CloudAccess, SshAccess
from clawdet_infra.config.customer import Customer
from clawdet_infra.config.fleet import Fleet
from clawdet_infra.config.hosts import SharedHost
from clawdet_infra.config.images import Image, Release, ReleaseOverride, parse_image
from clawdet_infra.config.loader import dump_fleet, load_fleet
from clawdet_infra.config.names import slug_of
from clawdet_infra.config.plan import PLANS, Limits, LimitsOverride, Plan, PlanName, PlanOverride, PlanOverrides
from clawdet_infra.config.problems import ConfigurationError, Problem, ProblemCode, Suggestion
from clawdet_infra.config.rollout import Rollout
from clawdet_infra.config.secrets import Encrypted
from clawdet_infra.config.servers import (
    SERVER_ROOT,
    SERVER_TYPES,
    ExistingServer,
    ServerDefaults,
    ServerPlan,
    ServerType,
    ServerWish,
    decide_server,
    misfit_of_type,
)
from clawdet_infra.config.source import MAY_HOLD_SECRETS, check_file, decode, read_config, read_fleet

__all__ = [
    "MAY_HOLD_SECRETS",
    "PLANS",
    "SERVER_ROOT",
    "SERVER_TYPES",
    "AcmeAccess",
    "CloudAccess",
    "ConfigurationError",
    "Customer",
    "Encrypted",
    "ExistingServer",
    "Fleet",
    "Image",
    "Limits",
    "LimitsOverride",
    "Plan",
    "PlanName",
    "PlanOverride",
    "PlanOverrides",
    "Problem",
    "ProblemCode",
    "Release",
    "ReleaseOverride",
    "Rollout",
    "ServerDefaults",
    "ServerPlan",
    "ServerType",
    "ServerWish",
    "SharedHost",
    "SshAccess",
    "Suggestion",
    "check_file",
    "decide_server",
    "decode",
    "dump_fleet",
    "load_fleet",
    "misfit_of_type",
    "parse_image",
    "read_config",
    "read_fleet",
    "slug_of",
]
