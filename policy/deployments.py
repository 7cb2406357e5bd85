"""What a deployment puts on a server, read from the input that travels there."""

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
    """The input of a deployment is not what this pack knows; the text says what is odd, and nothing of the input."""


@dataclass(frozen=True)
class Deployment:
    """A compose project as it will run; `owner` is whose it is, in words."""

    owner: str
    document: Document


def deployment_of(resource: Resource) -> Deployment | None:
    """Return what a resource deploys.

    None where it deploys nothing, or where that is not known yet: in a preview, before a customer's token is made.
    Raises UnreadableError where the input cannot be read, so that what cannot be checked does not pass.
    """
    payload = resource.properties.get("stdin") if resource.is_deployment else None
    return None if payload is None else _decoded(payload)


def secrets_of(resource: Resource) -> dict[str, str]:
    """Return the secrets that a deployment carries, each with whose it is in words; none where they are not known."""
    try:
        outer = json.loads(resource.properties.get("stdin", "")) if resource.is_deployment else {}
        return dict.fromkeys(values_of(str(outer["environment"])).values(), str(outer["name"]))
    except (ValueError, KeyError, TypeError):
        return {}  # The policies of containers tell of an input that cannot be read.


@lru_cache(maxsize=4)  # Several policies look at the same resource one after the other.
def _decoded(payload: str) -> Deployment:
    try:
        outer = json.loads(payload)
        inner = json.loads(bz2.decompress(base64.b85decode(outer["packed"])))
        owner, edge = str(outer["name"]), outer["kind"] == "host"
        text = _content(inner["files"], COMPOSE_FILE)
    except (ValueError, KeyError, TypeError, OSError, EOFError, binascii.Error):
        # Nothing of the exception: its text could quote the input, which holds secrets.
        raise UnreadableError("the input of the deployment has not the form that the policies know") from None
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
