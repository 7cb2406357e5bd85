"""The only reader of Pulumi's configuration: `load()` returns it as a `Fleet`.

Secrets are pydantic's SecretStr, which prints asterisks, because pure code and validation need plain values instead of
Pulumi's outputs.  This loses Pulumi's own secret mark, so code that passes a secret to a resource marks it again:
`pulumi.Output.secret(customer.anthropic_api_key.get_secret_value())`.  This module logs nothing, and no error quotes a
secret.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pulumi
from pulumi.runtime import config as engine

from clawdet_infra.config import ConfigurationError, Fleet, Problem, read_config
from clawdet_infra.config.passphrase import refusal
from clawdet_infra.error_line import FailureCode, marked

NAMESPACE = "clawdet"
TOKEN_VARIABLE = "HCLOUD_TOKEN"  # noqa: S105
_CONNECT_SECONDS = 2.0


def load() -> Fleet:
    """Return the fleet of the running stack.

    The cloud's token is `hcloud:token`, else the environment variable HCLOUD_TOKEN; a local cloud has its own.
    Raises pulumi.RunError, which the engine prints without a stack trace, with all problems of the configuration.
    """
    try:
        return read()
    except ConfigurationError as error:
        raise pulumi.RunError(marked(FailureCode.CONFIGURATION, str(error))) from None


def read() -> Fleet:
    """Do what `load` does, but raise ConfigurationError, whose problems are data."""
    config = {**engine.get_config_env(), **engine.CONFIG.get()}
    stack = pulumi.get_stack()
    file = _project_folder() / f"Pulumi.{stack}.yaml"
    fleet = read_config(
        config,
        secret={key for key in config if _is_secret(key)},
        token=pulumi.Config("hcloud").get("token") or os.environ.get(TOKEN_VARIABLE),
        file=file,
        local_cloud=local_cloud,
    )
    if why := refusal(stack, file, os.environ, local=fleet.cloud.is_local):
        raise ConfigurationError([Problem(field="encryptionsalt", message=why)])
    return fleet


def local_cloud(path: Path, *, must_answer: bool = True) -> dict[str, Any]:
    """Return the raw `cloud` of a local cloud from its description file.

    Raises ConfigurationError if the file is missing or not a description, or, with `must_answer`, if the cloud does not
    answer.
    """
    start = "Run `clawdet cloud up`."
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        endpoint = urlsplit(str(info["endpoint"]))
        address = (endpoint.hostname or "", endpoint.port or 80)
        cloud = {
            "endpoint": info["endpoint"],
            "token": info["token"],
            "resolver": info["dns"],
            "caBundle": info.get("ca"),
            "caDirectory": info.get("ca_directory"),
            "imagePrefix": f"{info['registry']}/" if info.get("registry") else None,
            "acme": info.get("acme"),
            "dockerHost": info.get("docker_host"),
        }
    except FileNotFoundError:
        message = f"the local cloud is not up: there is no file {path}."
        raise ConfigurationError([Problem(field="cloud", message=message, hint=start)]) from None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise ConfigurationError([Problem(field="cloud", message=message)]) from None
    except (ValueError, KeyError, TypeError):
        message = f"{path} is not the description of a local cloud."
        raise ConfigurationError([Problem(field="cloud", message=message, hint=start)]) from None
    try:
        if must_answer:
            socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
    except OSError:
        message = f"the local cloud is not up: nothing answers at {address[0]}:{address[1]}."
        raise ConfigurationError([Problem(field="cloud", message=message, hint=start)]) from None
    return {key: value for key, value in cloud.items() if value is not None}


def _is_secret(key: str) -> bool:
    return engine.is_config_secret(key) or key in engine.get_config_secret_keys_env()


def _project_folder() -> Path:
    """Return the directory of Pulumi.yaml; older language hosts do not pass it, but start programs in it."""
    root = pulumi.runtime.settings.SETTINGS.root_directory
    if root and Path(root).is_absolute():  # Outside a running program it is a placeholder.
        return Path(root)
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "Pulumi.yaml").exists()), here)
