"""One customer, as written in the list."""

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

    `id` never changes: a changed id is another customer, and the old one's server is deleted.  `subdomain` is the id
    where nothing is written.  `token_version` is raised to rotate the gateway token and the password.
    `auth_password` says whether the basic-auth password is the first 16 characters of the gateway token (`derived`)
    or a random one of its own.  `server` is what server is rented, `existing_server` one that is
    there already; `host` names the shared host of a free customer.  `wave` is the rollout wave, from 0.
    `protect` decides whether what holds the customer's data can be deleted; None leaves it to the plan.
    """

    id: CustomerId
    plan: KnownPlan
    subdomain: Subdomain | None = None
    anthropic_api_key: AnthropicApiKey
    telegram_bot_token: TelegramBotToken | None = None
    gateway_token: GatewayToken | None = None
    token_version: Annotated[int, whole(1, 1_000_000)] = 1
    auth_password: Annotated[AuthPassword, one_of("kind of password", "derived", "independent")] = "derived"  # noqa: S105
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
