from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace

import pytest
import yaml

from clawdet_infra.secret_shapes import kinds_of_secrets
from policy import secrecy
from tests.components.fleets import API_KEY
from tests.unit.policy.world import CLOUD_TOKEN, Shown, messages, stack_messages

SERVER = "user123-server"
TOKEN = "0123456789abcdef" * 4
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
SECRETS = [
    API_KEY,
    TOKEN,
    "1234567890:AAH4vT9xQm2LkWcZpR7sYbN1uJdEoGfXi5w",
    "ghp_" + "a1B2" * 9,
    PEM,
    "https://user:correct-horse@example.com/",
    "Authorization: Bearer abcdefghij0123456789",
]


def cloud_config(server: Shown) -> str:
    return gzip.decompress(base64.b64decode(server.inputs["userData"])).decode()


def with_file(server: Shown, content: str, *, plain: bool = False, **entry: str) -> Shown:
    """The server with one more file in its user data, which is packed as it is sent, or `plain`."""
    user_data = yaml.safe_load(cloud_config(server))
    user_data["write_files"].append({"path": "/etc/x", "content": content, **entry})
    text = "#cloud-config\n" + yaml.safe_dump(user_data)
    return server.having(userData=text if plain else base64.b64encode(gzip.compress(text.encode())).decode())


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_user_data_is_stopped_and_not_shown(secret: str, plain: bool, resources: dict[str, Shown]) -> None:
    told = messages(secrecy.SHAPES, with_file(resources[SERVER], f"x = {secret}\n", plain=plain))
    assert told
    assert "customer user123" in told[0]
    assert secret.strip() not in "".join(told)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_that_is_packed_is_found_too(secret: str, resources: dict[str, Shown]) -> None:
    plain = base64.b64encode(f"x = {secret}\n".encode()).decode()
    packed = base64.b64encode(gzip.compress(f"x = {secret}\n".encode())).decode()
    assert messages(secrecy.SHAPES, with_file(resources[SERVER], plain, encoding="b64"))
    assert messages(secrecy.SHAPES, with_file(resources[SERVER], packed, encoding="gz+b64"))


def test_a_key_in_a_script_is_stopped_where_cloud_init_reads_no_host_key(resources: dict[str, Shown]) -> None:
    [told] = messages(secrecy.SHAPES, resources[SERVER].having(userData=f"#!/bin/sh\ncat > /key <<E\n{PEM}E\n"))
    assert "a private key" in told


def test_a_date_that_cannot_be_does_not_end_the_pack(resources: dict[str, Shown]) -> None:
    spoiled = resources[SERVER].inputs["userData"] + "\nvalid_until: 2026-02-30\n"
    [told] = messages(secrecy.SHAPES, resources[SERVER].having(userData=spoiled))
    assert "a private key" in told, "what cannot be read as cloud-init does is searched as text"


def test_the_host_key_passes_as_long_as_it_is_secret(resources: dict[str, Shown]) -> None:
    server = resources[SERVER]
    assert "PRIVATE KEY" in cloud_config(server), "this is what the exception is for"
    assert messages(secrecy.SHAPES, server) == []
    [told] = messages(secrecy.SHAPES, replace(server, secret_outputs=()))
    assert "additional_secret_outputs" in told


@pytest.mark.parametrize("name", [SERVER, "user123.clawdet.test/A", "base-firewall"])
def test_a_secret_in_a_label_is_stopped(name: str, resources: dict[str, Shown]) -> None:
    [told] = messages(secrecy.SHAPES, resources[name].labelled(key=API_KEY[:60]))
    assert "the label 'key'" in told
    assert API_KEY[:20] not in told


@pytest.mark.parametrize("key", ["create", "update", "delete", "environment"])
def test_a_secret_in_the_text_of_a_command_is_stopped(key: str, resources: dict[str, Shown]) -> None:
    value = {"KEY": API_KEY} if key == "environment" else f"run {API_KEY}"
    [told] = messages(secrecy.SHAPES, resources["user123-deployment"].having(**{key: value}))
    assert f"`{key}`" in told


def test_the_digests_in_a_summary_are_no_secrets(resources: dict[str, Shown]) -> None:
    assert "@sha256:" in resources["user123-deployment"].inputs["create"]
    assert messages(secrecy.SHAPES, resources["user123-deployment"]) == []
    assert kinds_of_secrets(f"caddy@sha256:{TOKEN}") == []


def test_the_digest_in_what_a_deployment_said_is_no_secret() -> None:
    said = json.dumps({"release": 1, "digest": TOKEN, "images": {"gateway": f"openclaw:1@sha256:{TOKEN}"}})
    assert kinds_of_secrets(said) == []
    assert kinds_of_secrets(json.dumps({"CLAWDET_GUARDS": said})) == []
    assert kinds_of_secrets(json.dumps({"CLAWDET_GUARDS": said.replace("digest", "token")})) != []


def known_secrets(resources: dict[str, Shown]) -> dict[str, str]:
    environment = json.loads(resources["user123-deployment"].inputs["stdin"])["environment"]
    assert API_KEY in environment
    token = resources["user123-token"].outputs["result"]
    return {"token": token, "password": token[:16], "api key": API_KEY, "cloud": CLOUD_TOKEN}


@pytest.mark.parametrize("which", ["token", "password", "api key", "cloud"])
def test_the_fleets_own_secrets_are_stopped_wherever_they_are_seen(which: str, resources: dict[str, Shown]) -> None:
    secret = known_secrets(resources)[which]
    for place in (
        resources["acme-server"].labelled(note=secret),
        with_file(resources["acme-server"], f"x={secret}"),
    ):
        [told] = stack_messages(secrecy.VALUES, [*resources.values(), replace(place, name="seen")])
        assert "resource seen" in told
        assert secret not in told


def test_secrets_that_are_only_where_they_belong_pass(resources: dict[str, Shown]) -> None:
    assert stack_messages(secrecy.VALUES, resources.values()) == []
