"""Routes for SSH keys."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from localcloud.api.actions.view import moment
from localcloud.api.call import Call, Reply
from localcloud.api.cloud import Cloud
from localcloud.api.errors import invalid, not_unique
from localcloud.api.inputs import Input, Labels, Name
from localcloud.api.resource import Resource
from localcloud.api.ssh_keys.model import SSHKey
from localcloud.api.ssh_keys.public_key import KeyFormatError, fingerprint
from localcloud.api.state import State
from localcloud.api.table import Table


class CreateInput(Input):
    """Body of `POST /ssh_keys`."""

    name: Name
    public_key: Annotated[str, Field(min_length=1, max_length=16384)]
    labels: Labels = Field(default_factory=dict)


class _SSHKeys(Resource[SSHKey]):
    kind = "ssh_key"
    title = "SSH key"
    exact = ("name", "fingerprint")
    name_taken = "SSH key not unique"

    def table(self, state: State) -> Table[SSHKey]:
        return state.ssh_keys

    def view(self, cloud: Cloud, item: SSHKey) -> dict[str, Any]:
        del cloud
        return {
            "id": item.id,
            "name": item.name,
            "fingerprint": item.fingerprint,
            "public_key": item.public_key,
            "labels": item.labels,
            "created": moment(item.created),
        }


SSH_KEYS = _SSHKeys()


def _create(call: Call) -> Reply:
    given, cloud = call.read(CreateInput), call.cloud
    text = given.public_key.strip()
    try:
        digest = fingerprint(text)
    except KeyFormatError as error:
        raise invalid("public_key", f"SSH key is invalid: {error}") from None
    SSH_KEYS.check_name(cloud.state, given.name)
    if cloud.state.ssh_keys.has("fingerprint", digest):
        raise not_unique("SSH key not unique", "public_key")
    SSH_KEYS.check_limit(cloud)
    key = SSHKey(cloud.state.new_id(), given.name, text, digest, cloud.now(), given.labels)
    return Reply(201, {"ssh_key": SSH_KEYS.view(cloud, cloud.state.ssh_keys.put(key))})


ROUTES = SSH_KEYS.routes(_create)
