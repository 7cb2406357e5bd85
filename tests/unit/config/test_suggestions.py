"""Advice that is followed passes: what an error suggests is carried out, and the configuration is judged again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from clawdet_infra.config import ConfigurationError, Problem, check_file, load_fleet
from clawdet_infra.config.suggestions import apply
from tests.unit.config.mistakes import Mistaken, mistaken
from tests.unit.config.samples import GATEWAY_TOKEN, customer, fleet
from tests.unit.config.strategies import fleets

ROUNDS = 8
"""So often at most has advice to be followed until none is left: a mistake can hide others."""


def problems(made: Mistaken) -> tuple[Problem, ...]:
    try:
        load_fleet(made.raw, written=made.written.get)
    except ConfigurationError as error:
        return error.problems
    return ()


def followed(made: Mistaken, found: tuple[Problem, ...]) -> Mistaken:
    return Mistaken(apply(made.raw, [one.suggestion for one in found if one.suggestion]), made.written)


@given(mistaken(fleets(least=1)))
def test_advice_that_is_followed_passes(made: Mistaken) -> None:
    found = problems(made)
    for _ in range(ROUNDS):
        offered = [one for one in found if one.suggestion]
        if not offered:
            return
        made = followed(made, found)
        after = problems(made)
        left = {(one.field, one.message) for one in after}
        moved = any(one.suggestion.field.endswith("]") for one in offered)
        for one in offered:
            assert (one.field, one.message) not in left or moved, f"{one} is still wrong after its own advice"
            if one.suggestion.action == "write":
                again = [str(other) for other in after if other.field == one.suggestion.field and not moved]
                assert not again, f"{one} led to {again}"
        found = after
    raise AssertionError(f"advice goes round in circles: {[str(one) for one in found]}")


MISTAKES: dict[str, Any] = {
    "Acme_Corp": fleet(customer("Acme_Corp")),
    "a tab": fleet(customer("acme\tcorp")),
    "accents": fleet(customer("caf\u00e9")),
    "a number in quotes": fleet(customer(limits={"memory": "3000"})),
    "a unit": fleet(customer(limits={"pids": "512"}, server={"location": "Hel1"})),
    "yes": fleet(customer(protect="yes")),
    "a plan": fleet(customer(plan="Pro")),
    "an old type": fleet(customer(server={"type": "cx22"})),
    "a type that is sold elsewhere": fleet(customer(server={"type": "cpx11", "location": "fsn1"})),
    "a datacenter": fleet(customer(server={"location": "fsn1-dc14"})),
    "a small server": fleet(customer(plan="enterprise", server={"type": "cx23"})),
    "a host for a paying customer": fleet(customer(host="shared-1")),
    "a server for a free customer": fleet(customer(plan="free", server={"type": "cx33"})),
    "a version of a written token": fleet(customer(gatewayToken=GATEWAY_TOKEN, tokenVersion=2)),
    "an address as a network": fleet(ssh={"sources": ["203.0.113.7"]}),
    "an address inside a network": fleet(ssh={"sources": ["203.0.113.7/24"]}),
    "a network twice": fleet(ssh={"sources": ["203.0.113.0/24", "203.0.113.0/24"]}),
    "a network that is no list": fleet(ssh={"sources": "203.0.113.0/24"}),
    "an image": fleet(server={"image": "ubuntu-24.04", "type": "cx23", "location": "fsn1"}),
    "a misspelt key": fleet(customer(anthropicApiKey=None, anthropic_api_key=customer()["anthropicApiKey"])),
    "a key twice": fleet(customer(Plan="pro")),
    "an address with capitals": fleet(acmeEmail="ops@Clawdet.com"),
    "a dot at the end": fleet(domain="clawdet.com."),
    "an image prefix": fleet(cloud={**fleet()["cloud"], "imagePrefix": "10.1.0.1:5000"}),
}


@pytest.mark.parametrize("raw", MISTAKES.values(), ids=MISTAKES)
def test_a_usual_mistake_is_gone_when_its_advice_was_followed(raw: dict[str, Any]) -> None:
    made = Mistaken(raw)
    found = problems(made)
    assert found, "it is a mistake"
    assert all(one.suggestion for one in found), [str(one) for one in found]
    assert [str(one) for one in problems(followed(made, found))] == []


def test_advice_that_would_lead_to_the_next_error_is_not_given() -> None:
    taken = problems(Mistaken(fleet(customer("acme-corp"), customer("Acme_Corp"))))
    assert [one.suggestion for one in taken] == [None], "acme-corp is another customer"
    (elsewhere,) = problems(Mistaken(fleet(customer(server={"type": "cx22", "location": "ash"}))))
    assert elsewhere.suggestion is None, "cx23 is not sold there"
    assert "Known types: cx23" in elsewhere.hint


def test_two_customers_are_not_both_sent_to_one_place() -> None:
    hosts = [{"id": f"shared-{n}", "type": "cx43", "location": "fsn1", "capacity": 1} for n in (1, 2)]
    found = problems(Mistaken(fleet(*(customer(f"free-{n}", "free") for n in range(3)), sharedHosts=hosts)))
    assert [one.suggestion and one.suggestion.value for one in found] == ["shared-1", "shared-2", None]


def test_a_suggestion_holds_no_secret() -> None:
    key = "SK-ANT-API03-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    found = problems(Mistaken(fleet(customer(key), customer("b", subdomain=f" {GATEWAY_TOKEN}"))))
    assert [one.suggestion for one in found] == [None, None]


FILE = """\
config:
  Clawdet:zone: existing
  clawdet:domain: clawdet.com
  clawdet:acmeEmail: ops@clawdet.com
  clawdet:release:
    gateway: ghcr.io/openclaw/openclaw:2026.9.6
    proxy: docker.io/library/caddy:2.11.9
    browser: docker.io/chromedp/headless-shell:140.0
  clawdet:ssh:
    sources: [203.0.113.0/24]
  clawdet:server: {type: cx33, location: fsn1}
  clawdet:customers:
    - {id: 0123, plan: pro, anthropicApiKey: {secure: v1:b}, limits: {memory: 04000}}
    - {id: 1_000, plan: pro, anthropicApiKey: {secure: v1:b}, limits: {memory: 0_4000}}
    - {id: 2024-1-5, plan: Pro, anthropicApiKey: {secure: v1:b}}
"""


def test_the_advice_about_a_file_passes_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(FILE)
    found = check_file(path)
    assert [(one.field, one.suggestion and one.suggestion.value) for one in found] == [
        ("Clawdet:zone", "clawdet:zone"),
        ("customers[0].id", "0123"),
        ("customers[0].limits.memory", 4000),
        ("customers[1].id", "1-000"),
        ("customers[1].limits.memory", 4000),
        ("customers[2].id", "2024-1-5"),
        ("customers[2].plan", "pro"),
    ]
    config = yaml.safe_load(FILE)["config"]
    for one in found:
        assert one.suggestion is not None
        if ":" in one.suggestion.field:
            config[one.suggestion.value] = config.pop(one.suggestion.field)
        else:
            customers = apply({"customers": config["clawdet:customers"]}, [one.suggestion])
            config["clawdet:customers"] = customers["customers"]
    path.write_text(json.dumps({"config": config}))
    assert [str(one) for one in check_file(path)] == []


def test_a_number_with_a_zero_before_it_is_refused_and_not_read_in_base_8(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(FILE)
    told = next(one for one in check_file(path) if one.field == "customers[0].limits.memory")
    assert str(told) == (
        f"{path}:13: customer #1: customers[0].limits.memory: is written as 04000, which YAML reads as the number "
        "2048: a leading zero means base 8. Write `4000`."
    )


def test_a_tab_in_the_indentation_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text("config:\n  clawdet:customers:\n    - id: a\n\t  plan: pro\n")
    assert [str(one) for one in check_file(path)] == [
        f"{path}:4: config: cannot be read: the line is indented with a tab; YAML allows only spaces. "
        "Replace the tab with spaces."
    ]
