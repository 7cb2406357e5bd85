"""What a caller asks for: one customer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr


@dataclass(frozen=True, kw_only=True)
class Signup:
    """A customer who signs up.

    `id` names the customer for ever; `plan` is `free`, `pro` or `enterprise`; `subdomain` is the id where none is
    given. A gateway token (64 lower-case hexadecimal digits) is made where none is given. `server_ipv4` is the
    address of a server that is there already and takes the fleet's login key, `server_host_key` its SSH host key (a
    line as in `/etc/ssh/ssh_host_ed25519_key.pub`); where the key is not given, the one that the server shows at
    the first call is trusted and pinned. `options` are further keys of a customer in a stack file, such as `limits`
    or `server`.
    """

    id: str
    plan: str
    api_key: SecretStr = field(repr=False)
    subdomain: str | None = None
    gateway_token: SecretStr | None = field(default=None, repr=False)
    telegram_bot_token: SecretStr | None = field(default=None, repr=False)
    server_ipv4: str | None = None
    server_host_key: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def record(self, known_host_key: str | None = None) -> dict[str, Any]:
        """Return the customer as a stack file would have it, secrets in plain text."""
        record: dict[str, Any] = {
            **self.options,
            "id": self.id,
            "plan": self.plan,
            "anthropicApiKey": self.api_key.get_secret_value(),
            "subdomain": self.subdomain,
            "gatewayToken": self.gateway_token.get_secret_value() if self.gateway_token else None,
            "telegramBotToken": self.telegram_bot_token.get_secret_value() if self.telegram_bot_token else None,
        }
        if self.server_ipv4 is not None:
            record["existingServer"] = {"ipv4": self.server_ipv4, "hostKey": self.server_host_key or known_host_key}
        return {key: value for key, value in record.items() if value is not None}
