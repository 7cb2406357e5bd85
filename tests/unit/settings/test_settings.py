"""Reading Pulumi's configuration, as the engine hands it to a program."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import config as engine

from clawdet_infra.config import ConfigurationError, Fleet, settings
from clawdet_infra.config.passphrase import EXAMPLE
from tests.unit.config.samples import API_KEY, BOT_TOKEN, CLOUD_TOKEN, GATEWAY_TOKEN, customer, fleet

LOCAL_TOKEN = "10ca1T0ken" * 6 + "abcd"


def as_text(value: Any) -> str:
    """A top-level value as the engine hands it over: everything is text."""
    return value if isinstance(value, str) else json.dumps(value)


class Stack:
    """The configuration of a pretended stack, and the folder of its project."""

    def __init__(self, folder: Path):
        self.folder = folder

    def load(self, raw: dict[str, Any], secret: tuple[str, ...] = ("clawdet:customers",), **others: str) -> Fleet:
        self.configure(raw, secret, **others)
        return settings.load()

    def configure(self, raw: dict[str, Any], secret: tuple[str, ...] = (), **others: str) -> None:
        texts = {f"clawdet:{key}": as_text(value) for key, value in raw.items()}
        texts |= {key.replace("__", ":"): value for key, value in others.items()}
        engine.set_all_config(texts, list(secret))


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ("PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS", "HCLOUD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.yaml").write_text("name: clawdet\n")
    monkeypatch.chdir(tmp_path)
    yield Stack(tmp_path)
    engine.set_all_config({}, [])


def without_cloud(*entries: Any, **changes: Any) -> dict[str, Any]:
    return fleet(*entries, cloud=None, **changes)


def test_what_the_engine_hands_over_as_text_becomes_a_fleet(stack):
    raw = without_cloud(customer(wave=1), rollout={"waves": [50, 50]}, zone="existing", protect=False)
    found = stack.load(raw, hcloud__token=CLOUD_TOKEN)
    assert (found.domain, found.zone, found.protect) == ("clawdet.com", "existing", False)
    assert found.rollout.waves == (50, 50)
    assert found.customers[0].wave == 1
    assert found.cloud.token.get_secret_value() == CLOUD_TOKEN
    assert found.cloud.endpoint is None, "without `cloud` it is Hetzner's"


def test_the_environment_of_the_language_host_is_read_too(stack, monkeypatch):
    texts = {f"clawdet:{key}": as_text(value) for key, value in without_cloud(customer()).items()}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(texts | {"hcloud:token": CLOUD_TOKEN}))
    assert [one.id for one in settings.load().customers] == ["user123"]


def test_the_public_passphrase_is_refused_where_the_cloud_is_not_local(stack, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", EXAMPLE)
    with pytest.raises(pulumi.RunError, match="encrypted with the public passphrase of the examples"):
        stack.load(without_cloud(), hcloud__token=CLOUD_TOKEN)
    (stack.folder / f"Pulumi.{pulumi.get_stack()}.yaml").write_text("secretsprovider: awskms://key\n")
    assert stack.load(without_cloud(), hcloud__token=CLOUD_TOKEN)


def test_the_token_may_come_from_the_environment(stack, monkeypatch):
    monkeypatch.setenv("HCLOUD_TOKEN", CLOUD_TOKEN)
    assert stack.load(without_cloud()).cloud.token.get_secret_value() == CLOUD_TOKEN


def test_the_stacks_token_goes_before_that_of_the_environment(stack, monkeypatch):
    monkeypatch.setenv("HCLOUD_TOKEN", "e" * 64)
    assert stack.load(without_cloud(), hcloud__token=CLOUD_TOKEN).cloud.token.get_secret_value() == CLOUD_TOKEN


def test_a_missing_token_is_told(stack):
    with pytest.raises(pulumi.RunError) as caught:
        stack.load(without_cloud())
    assert str(caught.value) == (
        "[clawdet:configuration] The configuration has 1 problem:\n"
        "  - hcloud:token: is missing. Create one in the Hetzner Console and set it "
        "with `pulumi config set --secret hcloud:token`."
    )


def test_all_problems_come_in_one_error_that_the_engine_prints_plainly(stack):
    raw = without_cloud(customer(plan="zzz"), customer("bob", gatewayToken="c4nary"), zone="managed", zonee="x")
    with pytest.raises(pulumi.RunError) as caught:
        stack.load(raw, hcloud__token=CLOUD_TOKEN)
    assert str(caught.value).splitlines()[0] == "[clawdet:configuration] The configuration has 4 problems:"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__, "a traceback of the validation would tell the operator nothing"
    assert "c4nary" not in str(caught.value)


def test_an_unknown_key_of_the_namespace_is_told(stack):
    with pytest.raises(pulumi.RunError, match=r"custommers: is not a known key. Did you mean `customers`\?"):
        stack.load(without_cloud() | {"custommers": [customer()]}, hcloud__token=CLOUD_TOKEN)


def test_keys_of_other_namespaces_are_none_of_our_business(stack):
    assert stack.load(without_cloud(), hcloud__token=CLOUD_TOKEN, docker__host="x", aws__region="y")


def test_a_list_that_is_no_list_is_told(stack):
    with pytest.raises(pulumi.RunError, match="customers: must be a list, but is 'alice'"):
        stack.load(without_cloud() | {"customers": "alice"}, hcloud__token=CLOUD_TOKEN)


def test_secrets_stay_secrets(stack):
    secrets = {"anthropicApiKey": API_KEY, "telegramBotToken": BOT_TOKEN, "gatewayToken": GATEWAY_TOKEN}
    found = stack.load(without_cloud(customer(**secrets)), hcloud__token=CLOUD_TOKEN)
    assert found.customers[0].gateway_token.get_secret_value() == GATEWAY_TOKEN
    for value in (*secrets.values(), CLOUD_TOKEN):
        assert value not in repr(found) + str(found)


def test_an_encrypted_setting_that_everybody_will_see_is_refused(stack):
    with pytest.raises(pulumi.RunError) as caught:
        stack.load(without_cloud(), secret=("clawdet:domain", "clawdet:customers"), hcloud__token=CLOUD_TOKEN)
    assert str(caught.value).splitlines()[1:] == [
        "  - domain: is encrypted, but must be in plain text: it is not a secret, and reviewers have to see it. "
        "Set it again with `pulumi config set --plaintext`."
    ]


def test_problems_can_be_worked_with_instead_of_printed(stack):
    stack.configure(without_cloud(customer(plan="zzz")), hcloud__token=CLOUD_TOKEN)
    with pytest.raises(ConfigurationError) as caught:
        settings.read()
    assert [problem.field for problem in caught.value.problems] == ["customers[0].plan"]


@pytest.fixture
def listening() -> Iterator[int]:
    """A port of the loopback on which something answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def info(port: int, **changes: Any) -> dict[str, Any]:
    """What a local cloud writes about itself."""
    return {
        "name": "local",
        "endpoint": f"http://127.0.0.1:{port}/v1",
        "token": LOCAL_TOKEN,
        "dns": "127.0.0.1:8453",
        "ca": "/x/ca.pem",
        "registry": "10.1.0.1:5000",
        "registry_ca": "/x/registry.pem",
        "ca_directory": "/x/cas",
        "acme": {"directory": "https://10.1.0.1:14000/dir", "root": "/x/acme.pem"},
        "docker_host": "unix:///run/docker.sock",
        "api_only": False,
    } | changes


def write_info(stack: Stack, content: dict[str, Any]) -> str:
    (stack.folder / "cloud").mkdir()
    (stack.folder / "cloud/info.json").write_text(json.dumps(content))
    return "cloud/info.json"


def test_a_local_cloud_is_reached_as_its_file_says(stack, listening):
    found = stack.load(without_cloud() | {"cloud": write_info(stack, info(listening))}).cloud
    assert found.endpoint == f"http://127.0.0.1:{listening}/v1"
    assert found.token.get_secret_value() == LOCAL_TOKEN
    assert (found.resolver, found.image_prefix) == ("127.0.0.1:8453", "10.1.0.1:5000/")
    assert (found.ca_bundle, found.ca_directory) == ("/x/ca.pem", "/x/cas")
    assert (found.acme.directory, found.acme.root) == ("https://10.1.0.1:14000/dir", "/x/acme.pem")
    assert found.docker_host == "unix:///run/docker.sock"


def test_a_path_is_seen_from_the_projects_folder(stack, listening, monkeypatch):
    path = write_info(stack, info(listening))
    (stack.folder / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(stack.folder / "deep/er")
    assert stack.load(without_cloud() | {"cloud": path}).cloud.endpoint


def test_a_cloud_without_machines_has_neither_registry_nor_acme(stack, listening):
    content = info(listening, registry=None, acme=None, docker_host=None, api_only=True)
    found = stack.load(without_cloud() | {"cloud": write_info(stack, content)}).cloud
    assert (found.image_prefix, found.acme, found.docker_host) == ("", None, None)


def test_a_cloud_that_is_not_up_is_told_together_with_everything_else(stack):
    with pytest.raises(pulumi.RunError) as caught:
        stack.load(without_cloud(customer(plan="zzz")) | {"cloud": "cloud/info.json"})
    assert str(caught.value).splitlines() == [
        "[clawdet:configuration] The configuration has 2 problems:",
        f"  - cloud: the local cloud is not up: there is no file {stack.folder}/cloud/info.json. "
        "Run `clawdet cloud up`.",
        "  - customer user123: customers[0].plan: 'zzz' is not a plan. Use free, pro or enterprise.",
    ]


def test_a_cloud_that_has_stopped_is_told(stack, listening):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(pulumi.RunError) as caught:
        stack.load(without_cloud() | {"cloud": write_info(stack, info(port))})
    assert str(caught.value).splitlines()[1] == (
        f"  - cloud: the local cloud is not up: nothing answers at 127.0.0.1:{port}. Run `clawdet cloud up`."
    )


@pytest.mark.parametrize("text", ["", "{}", "[]", "no", '{"endpoint": 5, "token": "x"}', '{"endpoint": "http://a:b/"}'])
def test_a_file_that_describes_no_cloud_is_told(stack, text):
    (stack.folder / "info.json").write_text(text)
    with pytest.raises(pulumi.RunError) as caught:
        stack.load(without_cloud() | {"cloud": "info.json"})
    assert f"cloud: {stack.folder}/info.json is not the description of a local cloud." in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(stack):
    (stack.folder / "info.json").mkdir()
    with pytest.raises(pulumi.RunError, match=r"cloud: .*info.json cannot be read: Is a directory."):
        stack.load(without_cloud() | {"cloud": "info.json"})


def test_a_bad_value_in_the_file_is_judged_like_any_other(stack, listening):
    path = write_info(stack, info(listening, token="c4nary"))
    with pytest.raises(pulumi.RunError) as caught:
        stack.load(without_cloud() | {"cloud": path})
    assert "cloud.token: is not a Hetzner Cloud token; its length is 6" in str(caught.value)
    assert "c4nary" not in str(caught.value)


def test_a_cloud_may_be_written_out(stack):
    raw = without_cloud() | {"cloud": {"endpoint": "http://127.0.0.1:1/v1", "resolver": "127.0.0.1:53"}}
    found = stack.load(raw, hcloud__token=CLOUD_TOKEN).cloud
    assert (found.resolver, found.token.get_secret_value()) == ("127.0.0.1:53", CLOUD_TOKEN)
