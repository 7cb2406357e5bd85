"""Work on servers over SSH: look at an instance, restart it, read its logs, run commands in it.

`connect` is for one server, `Hosts` for many.  A server is talked to only after it has shown the host key that the
stack made for it; failures are HostErrors, one sentence each.
"""

from clawdet_infra.agent.restart import DOCKER
from clawdet_infra.fleet.hosts.connection import Login, connect
from clawdet_infra.fleet.hosts.errors import BusyError, ChangedError, HostError, UnreachableError
from clawdet_infra.fleet.hosts.host import Answer, Host, exit_code
from clawdet_infra.fleet.hosts.policy import HostPolicy
from clawdet_infra.fleet.hosts.pool import Hosts
from clawdet_infra.fleet.hosts.reports import HostReport

__all__ = [
    "DOCKER",
    "Answer",
    "BusyError",
    "ChangedError",
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
