"""How patient we are with servers."""

from __future__ import annotations

from dataclasses import dataclass

from clawdet_infra.agent.names import AGENTS


@dataclass(frozen=True, kw_only=True)
class HostPolicy:
    """Bounds of all work on servers; times are seconds.

    `connect_seconds` is for the whole way to a login, `command_seconds` for a command that says nothing else.  After
    `keepalive_count` unanswered questions, `keepalive_seconds` apart, a connection counts as lost.  `at_once` bounds
    the logins that are under way at the same time, and `channels` the commands at once on one server, which sshd
    bounds too (MaxSessions).  `output_bytes` of a command's output are kept.  `lock_seconds` is how long a restart
    waits for a deployment.  `agents` is the folder on servers into which the agent is brought.  `port` and `user` are
    those of all servers.
    """

    connect_seconds: float = 10
    command_seconds: float = 30
    restart_seconds: float = 300
    lock_seconds: float = 60
    keepalive_seconds: float = 10
    keepalive_count: int = 3
    at_once: int = 50
    channels: int = 8
    output_bytes: int = 1024 * 1024
    agents: str = AGENTS
    port: int = 22
    user: str = "root"
