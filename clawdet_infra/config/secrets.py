"""Secrets: their formats, checked without quoting a value.

If a stack file is read without the engine, a `{secure: …}` value is still encrypted and its format is unknown:
`Encrypted` stands for it and passes every format rule.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr

from clawdet_infra.config.problems import wrong

_ADMIN = re.compile(r"sk-ant-admin[0-9]*-")
# Placeholders for a key in documentation.  A random key matches less than once in 10**5.
_PLACEHOLDER = re.compile(
    r"(.)\1{7}|(?:^|[-_])(?:your|the)[-_]|placeholder|change[-_]?me|replace[-_]?(?:me|this)|api[-_]?key",
    re.IGNORECASE,
)
_FEWEST_DISTINCT_LETTERS = 6
_ANTHROPIC = re.compile(r"sk-ant-[A-Za-z0-9_-]{20,300}")
_TELEGRAM = re.compile(r"[0-9]{6,16}:[A-Za-z0-9_-]{30,64}")
_HEX = re.compile(r"[0-9a-f]{64}")
TOKEN_BYTES = 32
"""The random bytes of a gateway's token, whose text is hexadecimal."""

# A rule of the predecessor: the basic-auth password is the beginning of the token.
_DERIVED_PASSWORD_LENGTH = 16
FEWEST_DISTINCT_DIGITS = 6
"""64 random hexadecimal digits have fewer distinct ones less than once in 10**28."""


def derived_password(token: str) -> str:
    """Return the basic-auth password derived from a gateway's token."""
    return token[:_DERIVED_PASSWORD_LENGTH]


class Encrypted(SecretStr):
    """A secret that is present but still encrypted, so its format is unknown."""

    def __init__(self) -> None:
        super().__init__("[encrypted]")


def bot_of(token: str) -> str:
    """Return the number of a Telegram token's bot; a bot can have several tokens over time."""
    return token.partition(":")[0].lstrip("0")


def _is_placeholder(text: str) -> bool:
    return len(set(text)) < _FEWEST_DISTINCT_LETTERS or _PLACEHOLDER.search(text) is not None


def _opened(value: Any, what: str) -> str:
    """Return the text of a secret, checked by the rules for all secrets."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value == "":
        raise wrong(f"is empty; a {what} is needed.")
    if not isinstance(value, str):
        raise wrong(f"must be text, but YAML reads this {what} as another type.", "Put it in quotes.")
    if value != value.strip():
        raise wrong(
            f"is a {what} that begins or ends with white space.",
            "Copying often adds a line break; set it again from `printf %s`.",
        )
    return value


def _anthropic(value: Any) -> SecretStr:
    if isinstance(value, Encrypted):
        return value
    key = _opened(value, "key")
    if not _ANTHROPIC.fullmatch(key):
        begins = (
            "does not begin with `sk-ant-`" if not key.startswith("sk-ant-") else "is truncated or has odd characters"
        )
        raise wrong(
            f"is not an Anthropic API key: it {begins} (the value is not shown).",
            "It has the form `sk-ant-` and at least 20 letters, digits, hyphens or underscores.",
        )
    if _ADMIN.match(key):
        raise wrong(
            "is an admin key of the Anthropic API, which manages an organization and answers no messages (the value is "
            "not shown).",
            "Create a key for the customer in the Anthropic Console, API keys; it begins with `sk-ant-api`.",
        )
    # The examples of this project, which the demo deploys on the local cloud, are recognizable by this prefix.
    if not key.startswith("sk-ant-example-") and _is_placeholder(re.sub(r"sk-ant-(?:api[0-9]+-)?", "", key, count=1)):
        raise wrong(
            "is a placeholder for an Anthropic API key, not a key (the value is not shown).",
            "Create a key for the customer in the Anthropic Console, API keys.",
        )
    return SecretStr(key)


def _telegram(value: Any) -> SecretStr:
    if isinstance(value, Encrypted):
        return value
    token = _opened(value, "token")
    if not _TELEGRAM.fullmatch(token):
        raise wrong(
            "is not a Telegram bot token (the value is not shown).",
            "It has the form DIGITS:LETTERS, as BotFather prints it.",
        )
    if _is_placeholder(token.partition(":")[2]):
        raise wrong(
            "is a placeholder for a Telegram bot token (the value is not shown).", "BotFather prints the token."
        )
    return SecretStr(token)


def _gateway(value: Any) -> SecretStr:
    if isinstance(value, Encrypted):
        return value
    token = _opened(value, "token")
    hint = "Create one with `openssl rand -hex 32`, or leave it out and the program creates one."
    if not _HEX.fullmatch(token):
        if _HEX.fullmatch(token.lower()):
            raise wrong("has upper-case digits (the value is not shown); write them in lower case.", hint)
        raise wrong(
            f"is not 64 lower-case hexadecimal digits; its length is {len(token)} (the value is not shown).", hint
        )
    if len(set(token)) < FEWEST_DISTINCT_DIGITS:
        raise wrong("is a placeholder: a random token would not repeat so few digits (the value is not shown).", hint)
    return SecretStr(token)


def _hcloud(value: Any) -> SecretStr:
    if isinstance(value, Encrypted):
        return value
    token = _opened(value, "token")
    if len(token) != 64 or not token.isalnum() or not token.isascii():
        raise wrong(
            f"is not a Hetzner Cloud token; its length is {len(token)} (the value is not shown).",
            "A token is 64 letters and digits; create one in the Hetzner Console, Security, API tokens.",
        )
    return SecretStr(token)


AnthropicApiKey = Annotated[SecretStr, BeforeValidator(_anthropic)]
"""A key of the Anthropic API, `sk-ant-…`."""

TelegramBotToken = Annotated[SecretStr, BeforeValidator(_telegram)]
"""A token of a Telegram bot, `123456789:…`."""

GatewayToken = Annotated[SecretStr, BeforeValidator(_gateway)]
"""A gateway's secret token: 64 lower-case hexadecimal digits, which is 32 random bytes."""

CloudToken = Annotated[SecretStr, BeforeValidator(_hcloud)]
"""A token of the Hetzner Cloud API: 64 letters and digits."""
