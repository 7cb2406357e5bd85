"""Servers seen from here: work on them over SSH, and the provider's API.

`connect` is for one server, `Hosts` for many.  A server is talked to only after it has shown the host key that the
stack made for it; failures are HostErrors, one sentence each.
"""

from clawdet_infra.agent.restart import DOCKER
from clawdet_infra.hosts.connection import Login, connect
from clawdet_infra.hosts.errors import BusyError, ChangedError, HostError, UnreachableError
from clawdet_infra.hosts.host import CommandResult, Host, exit_code
from clawdet_infra.hosts.policy import HostPolicy
from clawdet_infra.hosts.pool import Hosts
from clawdet_infra.hosts.reports import HostReport

__all__ = [
    "DOCKER",
    "BusyError",
    "ChangedError",
    "CommandResult",
    "Host",
    "HostError",
    "HostPolicy",
    "HostReport",
    "Hosts",
    "Login",
    "UnreachableError",
    "connect",
    "exit_code",
]
