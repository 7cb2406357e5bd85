"""SSH keys, through Hetzner's own Python client."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hcloud import APIException, Client

from tests.contract.hcloud_api.making import make_key, make_server
from tests.contract.hcloud_api.running import KEY, OTHER_KEY


def public_key(kind: str) -> str:
    keys = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "ecdsa": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }
    return keys[kind]().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
def test_a_key_of_every_kind_is_taken_and_has_its_md5_fingerprint(client: Client, kind: str) -> None:
    text = public_key(kind)

    key = make_key(client, public_key=f"{text} me@example.com\n")

    digest = hashlib.md5(base64.b64decode(text.split()[1])).hexdigest()
    assert key.fingerprint == ":".join(digest[i : i + 2] for i in range(0, 32, 2))
    assert key.public_key == f"{text} me@example.com"
    assert client.ssh_keys.get_by_fingerprint(key.fingerprint).id == key.id


def test_keys_are_unique_by_name_and_by_fingerprint(client: Client) -> None:
    make_key(client)

    with pytest.raises(APIException, match="SSH key not unique") as name:
        make_key(client, public_key=OTHER_KEY)
    with pytest.raises(APIException, match="SSH key not unique") as fingerprint:
        make_key(client, "other", KEY.replace("me@example.com", "somebody else"))

    assert (name.value.code, fingerprint.value.code) == ("uniqueness_error", "uniqueness_error")
    assert fingerprint.value.details["fields"][0]["name"] == "public_key"


def test_a_key_can_be_renamed_and_labelled(client: Client) -> None:
    key = make_key(client)

    key = key.update(name="admins", labels={"team": "ops"})

    assert (key.name, key.labels) == ("admins", {"team": "ops"})
    assert [found.id for found in client.ssh_keys.get_all(label_selector="team in (ops,dev)")] == [key.id]


def test_a_deleted_key_can_no_more_be_used_but_servers_live_on(client: Client) -> None:
    key = make_key(client)
    server = make_server(client, ssh_keys=[key])

    assert key.delete()

    server.reload()
    assert server.status == "running"
    with pytest.raises(APIException) as refusal:
        make_server(client, "other", ssh_keys=[key])
    assert refusal.value.code == "not_found"


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "ssh-ed25519",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 AAAA",
        "ssh-dss AAAAB3NzaC1kc3MAAACBAA==",
        KEY.replace("ssh-ed25519", "ssh-rsa", 1),
        KEY.split()[1],
        f"{KEY}\n{OTHER_KEY}",
        "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x10" + b"x" * 16).decode(),
    ],
)
def test_what_is_no_public_key_is_refused(client: Client, text: str) -> None:
    with pytest.raises(APIException) as refusal:
        make_key(client, public_key=text)

    assert refusal.value.code == "invalid_input"
    assert refusal.value.details["fields"][0]["name"] == "public_key"
