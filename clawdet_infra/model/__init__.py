"""The configuration as a value: frozen records, and every rule that they must obey.

Nothing here knows Pulumi.  `load_fleet` turns the raw configuration into a `Fleet` or tells all that is wrong with
it; `check_file` does the same for a stack file, without the engine, and says the lines.
"""

from clawdet_infra.model.access import AcmeAccess, CloudAccess, SshAccess
from clawdet_infra.model.customer import Customer
from clawdet_infra.model.fleet import Fleet
from clawdet_infra.model.hosts import SharedHost
from clawdet_infra.model.images import Image, Release, ReleaseOverride, parse_image
from clawdet_infra.model.loading import dump_fleet, load_fleet
from clawdet_infra.model.names import slug_of
from clawdet_infra.model.plan import PLANS, Limits, LimitsOverride, Plan, PlanName, PlanOverride, PlanOverrides
from clawdet_infra.model.problems import ConfigurationError, Problem, ProblemCode, Suggestion
from clawdet_infra.model.rollout import Rollout
from clawdet_infra.model.secrets import Encrypted
from clawdet_infra.model.servers import (
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
from clawdet_infra.model.source import MAY_HOLD_SECRETS, check_file, decode, read_config, read_fleet

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
