"""The secrets of a deployment: the `.env` file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clawdet_infra.config import Customer

_CANNOT_BE_CARRIED = re.compile(r"[\x00-\x1f\x7f]")


def environment(customer: Customer, *, gateway_token: str, auth_password: str) -> str:
    """Return the `.env` file of a customer's deployment.

    Raises ValueError, with the variable's name and never the value, if a value has control characters.
    """
    values = {
        "ANTHROPIC_API_KEY": customer.anthropic_api_key.get_secret_value(),
        "OPENCLAW_GATEWAY_TOKEN": gateway_token,
        "AUTH_PASSWORD": auth_password,
    }
    if customer.telegram_bot_token is not None:
        values["TELEGRAM_BOT_TOKEN"] = customer.telegram_bot_token.get_secret_value()
    return env_file(values)


def env_file(values: Mapping[str, str]) -> str:
    """Return the text of an env file from which Compose reads exactly these values."""
    return "".join(f"{name}={_quoted(name, value)}\n" for name, value in values.items())


def _quoted(name: str, value: str) -> str:
    if _CANNOT_BE_CARRIED.search(value):
        raise ValueError(f"{name} has a control character, such as a line break; an env file cannot contain it.")
    # In single quotes Compose reads everything literally.  Only a quote needs a backslash there, and a backslash before
    # a quote would be read as that one.
    if "'" not in value and not value.endswith("\\"):
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
