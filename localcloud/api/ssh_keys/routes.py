"""Routes for SSH keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from localcloud.api.actions.view import moment
from localcloud.api.call import Call, Reply, Route
from localcloud.api.errors import invalid, not_found, not_unique
from localcloud.api.inputs import Input, Labels
from localcloud.api.listing import filtered, listed
from localcloud.api.ssh_keys.model import SSHKey
from localcloud.api.ssh_keys.public_key import KeyFormatError, fingerprint

Name = Annotated[str, Field(min_length=1, max_length=255)]


class CreateInput(Input):
    """Body of `POST /ssh_keys`."""

    name: Name
    public_key: Annotated[str, Field(min_length=1, max_length=16384)]
    labels: Labels = Field(default_factory=dict)


class UpdateInput(Input):
    """Body of `PUT /ssh_keys/{id}`."""

    name: Name = ""
    labels: Labels = Field(default_factory=dict)


def view(key: SSHKey) -> dict[str, Any]:
    """An SSH key in JSON."""
    return {
        "id": key.id,
        "name": key.name,
        "fingerprint": key.fingerprint,
        "public_key": key.public_key,
        "labels": key.labels,
        "created": moment(key.created),
    }


def _found(call: Call) -> SSHKey:
    key = call.cloud.state.ssh_keys.get(call.id())
    if key is None:
        raise not_found("SSH key", call.id())
    return key


def _list(call: Call) -> Reply:
    found = filtered(call, call.cloud.state.ssh_keys, "name", "fingerprint")
    return listed(call, "ssh_keys", found, view, sort=("id", "name", "created"))


def _create(call: Call) -> Reply:
    given = call.read(CreateInput)
    keys = call.cloud.state.ssh_keys
    text = given.public_key.strip()
    try:
        digest = fingerprint(text)
    except KeyFormatError as error:
        raise invalid("public_key", f"SSH key is invalid: {error}") from None
    if keys.has("name", given.name):
        raise not_unique("SSH key not unique", "name")
    if keys.has("fingerprint", digest):
        raise not_unique("SSH key not unique", "public_key")
    call.cloud.check_limit("ssh_key", keys)
    key = SSHKey(call.cloud.state.new_id(), given.name, text, digest, call.cloud.now(), given.labels)
    return Reply(201, {"ssh_key": view(keys.put(key))})


def _get(call: Call) -> Reply:
    return Reply(200, {"ssh_key": view(_found(call))})


def _update(call: Call) -> Reply:
    key, given = _found(call), call.read(UpdateInput)
    keys = call.cloud.state.ssh_keys
    if "name" in given.model_fields_set and given.name != key.name:
        if keys.has("name", given.name):
            raise not_unique("SSH key not unique", "name")
        key = replace(key, name=given.name)
    if "labels" in given.model_fields_set:
        key = replace(key, labels=given.labels)
    return Reply(200, {"ssh_key": view(keys.put(key))})


def _delete(call: Call) -> Reply:
    call.cloud.state.ssh_keys.remove(_found(call).id)
    return Reply(204)


ROUTES = [
    Route("GET", "/ssh_keys", _list),
    Route("POST", "/ssh_keys", _create),
    Route("GET", "/ssh_keys/{id}", _get),
    Route("PUT", "/ssh_keys/{id}", _update),
    Route("DELETE", "/ssh_keys/{id}", _delete),
]
