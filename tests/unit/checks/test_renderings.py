"""Which deployments of a fleet are rendered: every kind once, and nothing that could differ is left out."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clawdet_infra import render
from clawdet_infra.checks.finding import Finding, merged
from clawdet_infra.checks.renderings import Rendering, of_fleet
from clawdet_infra.config import load_fleet
from clawdet_infra.layout import CustomerLayout, plan_layout
from tests.support.examples import examples
from tests.unit.checks.conftest import Templates
from tests.unit.render.examples import BOT, PINNED, raw_fleet

KEY = "sk-ant-canary-0123456789-abcdefghijklmnop"


def customer(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"customer-{number}", "plan": "pro", "anthropicApiKey": KEY, **fields}


def concerned(*customers: dict[str, Any]) -> list[str]:
    raw = {**raw_fleet(), "customers": list(customers), "sharedHosts": []}
    return [one.concerns for one in of_fleet(load_fleet(raw)) if isinstance(one, Rendering)]


def test_a_thousand_alike_are_one() -> None:
    assert concerned(*(customer(number) for number in range(1000))) == ["customer customer-0"]


def test_plan_bot_and_release_each_make_another_kind() -> None:
    other = {"gateway": "ghcr.io/openclaw/openclaw:2026.9.7"}
    several = [
        customer(0),
        customer(1, plan="enterprise"),
        customer(2, telegramBotToken=BOT),
        customer(3, release=other),
    ]
    assert len(concerned(*several)) == 4


def test_of_customers_with_limits_of_their_own_the_extremes_are_rendered() -> None:
    many = [customer(number, limits={"memory": 2048 + number, "pids": 2000 - number}) for number in range(500)]
    assert concerned(*many) == ["customer customer-0", "customer customer-499"]


def text_without_names(one: CustomerLayout) -> str:
    text = render.bundle(one, images=PINNED, acme_email="a@b.test").files["compose.yaml"].content
    bundle = render.bundle(one, images=PINNED, acme_email="a@b.test")
    for path in bundle.files:
        text = text.replace(path, path.rpartition("/")[2])
    return text.replace(one.fqdn, "FQDN").replace(one.slug, "SLUG").replace(one.id, "ID")


@settings(max_examples=examples(40))
@given(
    plan=st.sampled_from(["free", "pro", "enterprise"]),
    names=st.lists(st.from_regex(r"c[a-z0-9]{3,12}", fullmatch=True), min_size=2, max_size=2, unique=True),
    fields=st.fixed_dictionaries(
        {}, optional={"tokenVersion": st.integers(1, 9), "authPassword": st.just("independent"), "wave": st.just(0)}
    ),
)
def test_customers_of_one_kind_differ_in_their_names_alone(plan: str, names: list[str], fields: dict[str, Any]) -> None:
    entries = [{"id": names[0], "plan": plan, "anthropicApiKey": KEY}]
    entries.append({"id": names[1], "plan": plan, "anthropicApiKey": KEY, **fields})
    first, second = plan_layout(load_fleet({**raw_fleet(), "customers": entries})).customers
    assert text_without_names(first) == text_without_names(second)


def test_the_customers_whose_deployment_is_wrong_are_named_and_no_others(copy: Templates) -> None:
    copy.replace("services.j2", "${TELEGRAM_BOT_TOKEN:?is missing in .env}", "${TELEGRAM_BOT_TOKEN}")
    fleet = load_fleet(raw_fleet(telegramBotToken=BOT))
    [finding] = [finding for check in copy.wrong(fleet) for finding in check.findings]
    assert finding.rule == "secrets_from_env_file"
    assert [name for name in finding.concerns if name.startswith("customer")] == ["customer pro-1"]


def test_findings_that_differ_in_whom_they_concern_are_one() -> None:
    several = [Finding(rule="r", message="is wrong.", concerns=(f"customer {name}",)) for name in "abcdea"]
    [one] = merged(several)
    assert str(one) == "customer a, customer b, customer c, 2 more: is wrong."
