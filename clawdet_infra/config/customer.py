"""One customer, as configured in the list."""

from __future__ import annotations

from typing import Annotated, Literal

from clawdet_infra.config.base import Record, Truth, one_of, whole
from clawdet_infra.config.images import ReleaseOverride
from clawdet_infra.config.names import CustomerId, Subdomain
from clawdet_infra.config.plan import KnownPlan, LimitsOverride
from clawdet_infra.config.rollout import MOST_WAVES
from clawdet_infra.config.secrets import AnthropicApiKey, GatewayToken, TelegramBotToken
from clawdet_infra.config.servers import ExistingServer, ServerWish

AuthPassword = Literal["derived", "independent"]


class Customer(Record):
    """A customer.

    `id` never changes: a changed id is another customer, and the old one's server is deleted.  `subdomain` defaults to
    the id.  Increment `token_version` to rotate the gateway token and the password.  `auth_password` selects the
    basic-auth password: the first 16 characters of the gateway token (`derived`), or a separate random one.  `server`
    overrides the type and location of the rented server; `existing_server` is used instead of a rented one; `host` is
    the shared host of a free customer.  `wave` is the rollout wave, from 0.  `protect` is whether the resources with
    the customer's data are protected from deletion; None means the plan's default.
    """

    id: CustomerId
    plan: KnownPlan
    subdomain: Subdomain | None = None
    anthropic_api_key: AnthropicApiKey
    telegram_bot_token: TelegramBotToken | None = None
    gateway_token: GatewayToken | None = None
    token_version: Annotated[int, whole(1, 1_000_000)] = 1
    auth_password: Annotated[AuthPassword, one_of("password mode", "derived", "independent")] = "derived"  # noqa: S105
    server: ServerWish | None = None
    existing_server: ExistingServer | None = None
    host: CustomerId | None = None
    limits: LimitsOverride | None = None
    wave: Annotated[int, whole(0, MOST_WAVES - 1)] | None = None
    release: ReleaseOverride | None = None
    protect: Truth | None = None

    @property
    def name(self) -> str:
        """The part of the customer's host name before the fleet's domain."""
        return self.subdomain or self.id
