"""What the resources of this program are called: their types, the endings of their logical names, their labels.

The engine knows a resource by its type and logical name, so a change here without an alias replaces what exists.
"""

from __future__ import annotations

STACK = "pulumi:pulumi:Stack"

SERVER = "hcloud:index/server:Server"
VOLUME = "hcloud:index/volume:Volume"
PRIMARY_IP = "hcloud:index/primaryIp:PrimaryIp"
FIREWALL = "hcloud:index/firewall:Firewall"
SSH_KEY = "hcloud:index/sshKey:SshKey"
ZONE = "hcloud:index/zone:Zone"
RECORD_SET = "hcloud:index/zoneRrset:ZoneRrset"
DOCKER_VOLUME = "docker:index/volume:Volume"
PASSWORD = "random:index/randomPassword:RandomPassword"  # noqa: S105 -- a type
REMOTE_COMMAND = "command:remote:Command"
REMOTE_COPY = "command:remote:CopyToRemote"
LOCAL_COMMAND = "command:local:Command"

# The components of this program.
BASE = "clawdet:index:Base"
CUSTOMER = "clawdet:index:Customer"
SHARED_HOST = "clawdet:index:SharedHost"
HEALTH_CHECK = "clawdet:index:HealthCheck"

# Those that it had until December 2026, around what is a customer's or host's own part today.
FORMER_SERVER = "clawdet:index:Server"
FORMER_DEPLOYMENT = "clawdet:index:Deployment"
FORMER_DNS_RECORDS = "clawdet:index:DnsRecords"
FORMER_GATEWAY_TOKEN = "clawdet:index:GatewayToken"  # noqa: S105 -- a type
FORMER_KEY_PAIR = "clawdet:index:KeyPair"

# What follows the id of a customer or shared host in the logical names of its parts.
SERVER_ENDING = "-server"
HOST_KEY_ENDING = "-server-host-key"
AGENT_ENDING = "-agent"
DEPLOYMENT_ENDING = "-deployment"
EDGE_ENDING = "-edge"
DNS_ENDING = "-dns"
TOKEN_ENDING = "-token"  # noqa: S105 -- the end of a name
HEALTH_ENDING = "-health"

# Labels at Hetzner.
FLEET_LABEL = "clawdet-fleet"
CELL_LABEL = "clawdet-cell"
ROLE_LABEL = "clawdet-role"
ID_LABEL = "clawdet-id"
PLAN_LABEL = "clawdet-plan"
PROTECT_LABEL = "clawdet-protect"
"""`off` where the operator chose that a server may be deleted."""
