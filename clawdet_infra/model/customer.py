"""One customer, as written in the list."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from clawdet_infra.model.base import Record
from clawdet_infra.model.images import ReleaseOverride
from clawdet_infra.model.names import CustomerId, Subdomain
from clawdet_infra.model.plan import KnownPlan, LimitsOverride
from clawdet_infra.model.problems import describe, listed, nearest, wrong
from clawdet_infra.model.secrets import AnthropicApiKey, GatewayToken, TelegramBotToken
from clawdet_infra.model.servers import ServerWish

AuthPassword = Literal["derived", "independent"]


def _one_of(*known: str) -> BeforeValidator:
    """Accept exactly the known words; the message names them and the nearest."""

    def check(value: Any) -> Any:
        if value in known and isinstance(value, str):
            return value
        near = nearest(value, known) if isinstance(value, str) else None
        did_you_mean = f"Did you mean `{near}`? " if near else ""
        raise wrong(f"is {describe(value)}.", f"{did_you_mean}Possible are {listed(known, 'or')}.")

    return BeforeValidator(check)


class Customer(Record):
    """A customer.

    `id` never changes: a changed id is another customer, and the old one's server is deleted.  `subdomain` is the id
    where nothing is written.  `token_version` is raised to rotate the gateway token and the password.
    `auth_password` says whether the basic-auth password is the first 16 characters of the gateway token (`derived`)
    or a random one of its own.  `host` names the shared host of a free customer.  `wave` is the rollout wave, from 0.
    `protect` decides whether what holds the customer's data can be deleted; None leaves it to the plan.
    """

    id: CustomerId
    plan: KnownPlan
    subdomain: Subdomain | None = None
    anthropic_api_key: AnthropicApiKey
    telegram_bot_token: TelegramBotToken | None = None
    gateway_token: GatewayToken | None = None
    token_version: int = Field(default=1, ge=1, le=1_000_000)
    auth_password: Annotated[AuthPassword, _one_of("derived", "independent")] = "derived"  # noqa: S105
    server: ServerWish | None = None
    host: CustomerId | None = None
    limits: LimitsOverride | None = None
    wave: int | None = Field(default=None, ge=0)
    release: ReleaseOverride | None = None
    protect: bool | None = None

    @property
    def name(self) -> str:
        """The part of the customer's host name before the fleet's domain."""
        return self.subdomain or self.id
