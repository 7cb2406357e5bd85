"""The stack files that come with the project are the examples of the documentation, so they must be right."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clawdet_infra.config import Fleet, check_file, dump_fleet, load_fleet
from clawdet_infra.layout import plan_layout
from tests.unit.config.samples import CLOUD_TOKEN, fleet

ROOT = Path(__file__).parents[3]
EXAMPLES = ["Pulumi.prod.yaml", "Pulumi.local.yaml"]
PASSPHRASE = "clawdet-example"


class Passphrase:
    """Pulumi's encryption by passphrase: AES-256-GCM with a key that PBKDF2 makes."""

    def __init__(self, passphrase: str, salt: str):
        version, salted, self.check = salt.split(":", 2)
        assert version == "v1"
        self.key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), base64.b64decode(salted), 1_000_000, 32)

    def open(self, message: str) -> str:
        version, nonce, sealed = message.split(":")
        assert version == "v1"
        return AESGCM(self.key).decrypt(base64.b64decode(nonce), base64.b64decode(sealed), None).decode()

    def open_all(self, value: Any) -> Any:
        if isinstance(value, dict):
            if set(value) == {"secure"}:
                return self.open(value["secure"])
            return {key: self.open_all(item) for key, item in value.items()}
        return [self.open_all(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request) -> Fleet:
    """An example, decrypted with the passphrase that the documentation names."""
    stack = yaml.safe_load((ROOT / request.param).read_text())
    passphrase = Passphrase(PASSPHRASE, stack["encryptionsalt"])
    assert passphrase.open(passphrase.check) == "pulumi", "the documented passphrase is not that of the example"
    config = passphrase.open_all(stack["config"])
    raw = {key.removeprefix("clawdet:"): value for key, value in config.items() if key.startswith("clawdet:")}
    if isinstance(raw.get("cloud"), str):
        raw["cloud"] = {"token": CLOUD_TOKEN}
    return load_fleet(raw, token=config.get("hcloud:token"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_neither_problems_nor_secrets_in_plain_text(name):
    assert check_file(ROOT / name) == []


def test_an_example_decrypts_to_a_fleet_with_a_customer_of_each_plan(example):
    assert sorted(customer.plan for customer in example.customers) == ["enterprise", "free", "pro"]
    assert load_fleet(dump_fleet(example)) == example


def test_an_example_can_be_laid_out(example):
    layout = plan_layout(example)
    assert {customer.host_id for customer in layout.customers if not customer.plan.dedicated} == {"shared-1"}


def test_the_secrets_of_an_example_are_recognisable_as_examples(example):
    keys = [customer.anthropic_api_key.get_secret_value() for customer in example.customers]
    assert all(key.startswith("sk-ant-example-") for key in keys), "a real key must never get into the repository"


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The project file, which tells the engine and the reader about every key."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    return loaded


def test_the_project_declares_exactly_the_keys_that_the_model_knows(project):
    assert set(project["config"]) == {field.alias for field in Fleet.model_fields.values()}


def test_every_key_is_described(project):
    assert all(len(key["description"]) > 20 for key in project["config"].values())


def test_the_project_and_the_model_agree_about_defaults(project):
    declared = {key: spec["default"] for key, spec in project["config"].items() if "default" in spec}
    with_defaults = dump_fleet(load_fleet({**fleet(sharedHosts=None), **declared}, token=CLOUD_TOKEN))
    without = dump_fleet(load_fleet(fleet(cloud=None, sharedHosts=None), token=CLOUD_TOKEN))
    assert with_defaults == without


def test_what_the_model_requires_has_no_default_in_the_project(project):
    required = {field.alias for field in Fleet.model_fields.values() if field.is_required()} - {"cloud"}
    assert {key for key, spec in project["config"].items() if "default" not in spec} == required


def test_lists_and_mappings_are_typed_as_such_where_the_engine_checks_types(project):
    types = {key: spec.get("type") for key, spec in project["config"].items()}
    assert types == {
        "domain": "string",
        "zone": "string",
        "cloud": None,
        "acmeEmail": "string",
        "release": "object",
        "server": "object",
        "ssh": "object",
        "rollout": "object",
        "sharedHosts": "array",
        "plans": "object",
        "customers": None,
        "protect": "boolean",
    }
