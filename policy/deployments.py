"""Reads a deployment from the input that is sent to the server."""

from __future__ import annotations

import base64
import binascii
import bz2
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from clawdet_infra.checks import Document, Finding, read
from clawdet_infra.redaction import values_of
from policy.resources import Resource

COMPOSE_FILE = "compose.yaml"


class UnreadableError(Exception):
    """The input of a deployment has an unknown format; the message has the reason, and nothing of the input."""


@dataclass(frozen=True)
class Deployment:
    """A Compose project to be deployed; `owner` is its customer or host, in words."""

    owner: str
    document: Document


def deployment_of(resource: Resource) -> Deployment | None:
    """Return the deployment of a resource.

    None if the resource deploys nothing, or if its input is not known yet: in a preview, before a customer's token
    exists.  Raises UnreadableError if the input cannot be read, so that unchecked input does not pass.
    """
    payload = resource.properties.get("stdin") if resource.is_deployment else None
    return None if payload is None else _decoded(payload)


def secrets_of(resource: Resource) -> dict[str, str]:
    """Return the secrets in a deployment's input, each with its owner in words; none if they are not known yet."""
    try:
        outer = json.loads(resource.properties.get("stdin", "")) if resource.is_deployment else {}
        return dict.fromkeys(values_of(str(outer["environment"])).values(), str(outer["name"]))
    except (ValueError, KeyError, TypeError):
        return {}  # The policies of containers report an unreadable input.


@lru_cache(maxsize=4)  # Several policies check the same resource in sequence.
def _decoded(payload: str) -> Deployment:
    try:
        outer = json.loads(payload)
        inner = json.loads(bz2.decompress(base64.b85decode(outer["packed"])))
        owner, edge = str(outer["name"]), outer["kind"] == "host"
        text = _content(inner["files"], COMPOSE_FILE)
    except (ValueError, KeyError, TypeError, OSError, EOFError, binascii.Error):
        # Without the exception: its text could quote the input, which contains secrets.
        raise UnreadableError("the input of the deployment has a format that the policies do not know") from None
    document = read(text, edge=edge)
    if isinstance(document, Finding):
        raise UnreadableError(f"{COMPOSE_FILE} {document.message}")
    if not document.services:
        raise UnreadableError(f"{COMPOSE_FILE} has no services")
    return Deployment(owner, document)


def _content(files: Mapping[str, Any], name: str) -> str:
    content = files[name]["content"]
    if not isinstance(content, str):
        raise TypeError
    return content
