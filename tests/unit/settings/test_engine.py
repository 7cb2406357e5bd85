"""The same configuration through the real engine: what it makes of a stack file, and what it prints."""

from __future__ import annotations

import json
import math
import os
import random
from pathlib import Path

import pytest
import yaml

from clawdet_infra.config import check_file, decode
from clawdet_infra.config.passphrase import EXAMPLE
from clawdet_infra.config.problems import DATE
from clawdet_infra.config.scalars import resolve
from clawdet_infra.config.source import _raw
from clawdet_infra.config.stackfile import read_stack_file
from clawdet_infra.preview.engine_plan import ask
from clawdet_infra.preview.stacks import CheckoutStack
from tests.support.stack import Stack
from tests.unit.config.samples import API_KEY, CLOUD_TOKEN, customer, fleet

pytestmark = pytest.mark.engine

ODD = """\
config:
  clawdet:x:
    values: [no, yes, on, y, n, true, False, TRUE, 010, 08, 0o17, 0x1F, 0b11, 1_000, 3072.0, 1e3, .5, 0.1, -5, +5]
    texts: ["12", 'true', !!str 12, 1:30, 2026-09-06, 2026.9.6, 1.2.3.4, sk-ant-x, a b, "", 0x, 1e, _1, 12_, -, .]
    dates: [2024-1-5, 2024-01-05, 2024-13-45, 2024-02-30, 24-1-5, 2024-1-5T1:2:3Z, 2024-01-05t01:02:03.50+02:00,
      2024-01-05 01:02:03, 2024-01-05 01:02:03.25, 2024-1-5T1:2:3, 2024-1-5 1:2:3Z, 2024-01-05T01:02:03-00:00]
    nothing: [~, null, Null]
    1: a
    true: b
    merged: {<<: &base {k: 1, l: 2}, l: 3}
    again: *base
"""


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path / "project").init()


def test_a_stack_file_means_the_same_to_us_and_to_the_engine(stack):
    stack.file.write_text(ODD)
    # A date of the machine's own zone has the zone's name.
    stack.extra_env["TZ"] = "UTC"
    shown = stack.run("pulumi", "config", "--json", "--stack", stack.name, "--non-interactive").ok().output
    theirs = json.loads(shown[shown.index("{") :])["clawdet:x"]["objectValue"]
    ours = read_stack_file(stack.file, "clawdet").config["clawdet:x"]
    assert ours == theirs, "what validates must be what gets deployed"


def _digits(chance: random.Random) -> str:
    return "".join(chance.choices("0123456789", k=chance.choice([1, 1, 2, 3, 4, 19, 20, 22])))


def _number(chance: random.Random) -> str:
    pick = chance.choice
    whole = pick(["", "+", "-"]) + pick(["", "", "0", "0x", "0X", "0b", "0o", "0B", "0O"]) + _digits(chance)
    return (
        whole
        + pick(["", "", ".", f".{_digits(chance)}"])
        + pick(["", "", f"{pick('eE')}{pick(['', '+', '-'])}{pick('1279')}"])
    )


def _moment(chance: random.Random) -> str:
    def two(most: int) -> str:
        return f"{chance.randint(0, most):{chance.choice(['', '02'])}}"

    date = f"{chance.choice(['2024', '2023', '1900', '0000', '24', '9999'])}-{two(13)}-{two(32)}"
    if chance.random() < 0.4:
        return date
    zone = chance.choice(["", "", "Z", f"{chance.choice('+-')}{chance.randint(0, 26):02}:{chance.randint(0, 61):02}"])
    fraction = chance.choice(["", "", f"{chance.choice('.,')}{_digits(chance)}"])
    return f"{date}{chance.choice('Tt ')}{two(25)}:{two(61)}:{two(61)}{fraction}{zone}"


def _word(chance: random.Random) -> str:
    word = chance.choice(
        ["true", "false", "yes", "no", "on", "off", "null", "~", ".inf", ".nan", "<<", "=", "y", "Inf"]
    )
    return chance.choice([word, word.title(), word.upper()])


def _changed(chance: random.Random, text: str) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(["", *"_+-.0eExobfTZ: ,"]) + text[at + chance.choice([0, 1]) :]


def texts(chance: random.Random, count: int) -> list[str]:
    """Random texts that are each one plain scalar, and a number that JSON has if they are a number."""
    found: dict[str, None] = {}
    while len(found) < count:
        text = chance.choice([_number, _number, _moment, _word])(chance)
        while chance.random() < 0.4:
            text = _changed(chance, text)
        try:
            root = yaml.compose(f"- {text}\n", yaml.CSafeLoader)
        except yaml.YAMLError:
            continue
        (node,) = root.value
        value = resolve(text)
        finite = not isinstance(value, float) or math.isfinite(value)
        if isinstance(node, yaml.ScalarNode) and node.value == text and finite:
            found[text] = None
    return list(found)


def test_random_scalars_mean_the_same_to_us_and_to_the_engine(stack):
    chance = random.Random(None if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 1)
    within, alone = texts(chance, 4000), texts(chance, 200)
    lines = [f"    - {text}\n" for text in within]
    lines += [f"  clawdet:key{number}: {text}\n" for number, text in enumerate(alone)]
    stack.file.write_text(f"config:\n  clawdet:x:\n{''.join(lines)}")
    stack.extra_env["TZ"] = "UTC"
    shown = stack.run("pulumi", "config", "--json", "--stack", stack.name, "--non-interactive").ok().output
    theirs = json.loads(shown[shown.index("{") :])
    ours = read_stack_file(stack.file, "clawdet")
    pairs = zip(within, ours.config["clawdet:x"], json.loads(theirs["clawdet:x"]["value"]), strict=True)
    assert [pair for pair in pairs if repr(pair[1]) != repr(pair[2])] == [], "text, our value, the engine's"
    raw = _raw(ours)
    # The engine hands over an empty text where a key has no value.
    tops = [
        (text, raw[f"key{number}"] if raw[f"key{number}"] is not None else "", theirs[f"clawdet:key{number}"]["value"])
        for number, text in enumerate(alone)
    ]
    # A date there is another text to us than to the engine; no key takes either.
    differ = [one for one in tops if one[1] != decode("key", one[2]) and not DATE.fullmatch(str(one[1]))]
    assert differ == [], "text, our value, the engine's"


def configure(stack: Stack, *entries, **changes) -> None:
    stack.configure({"hcloud:token": CLOUD_TOKEN, **fleet(*entries, cloud=None, **changes)})


def test_all_problems_are_printed_at_once_before_anything_is_touched(stack):
    configure(
        stack,
        customer("alice", "premium"),
        customer("alice", gatewayToken="c4nary-gateway-c4nary"),
        customer("a.b"),
        customer("a-b", anthropicApikey=API_KEY, anthropicApiKey=None),
        zone="managed",
    )
    result = stack.preview()
    assert result.code != 0
    for line in (
        "The configuration has 6 problems:",
        "- customer alice: customers[0].plan: 'premium' is not a plan.",
        "- customer alice: customers[1].gatewayToken: is not 64 lower-case hexadecimal digits",
        "- customer alice: customers[1].id: 'alice' is already the id of customers[0].",
        "- customer a-b: customers[3].anthropicApikey: is not a known key. Did you mean `anthropicApiKey`?",
        "- customer a-b: customers[3].id: 'a-b' collides with 'a.b' of customers[2]",
        "- zone: 'managed' is not a zone mode.",
    ):
        assert line in result.output, f"{line!r} is not in:\n{result.output}"
    assert "c4nary" not in result.output
    assert "Traceback" not in result.output, "an operator needs the problem, not our source"
    assert "+ 1 to create" in result.output, "nothing but the stack itself was about to be made"


def test_customers_that_are_no_list_are_told_together_with_the_rest(stack):
    configure(stack, zone="managed")
    stack.configure({**stack.config(), "clawdet:customers": {"alice": {"plan": "pro"}}})
    output = stack.preview().output
    assert "- customers: must be a list, but is a mapping." in output
    assert "- zone: 'managed' is not a zone mode." in output


def test_what_only_the_engine_can_read_is_judged_by_the_program(stack):
    configure(stack)
    entries = json.dumps([customer("alice"), customer("bob", "premium")])
    stack.pulumi("config", "set", "--secret", "clawdet:customers", entries, "--stack", stack.name).ok()
    stack.configure({**stack.config(), "hcloud:token": "", "Clawdet:zone": "existing"})
    checked = [problem for problem in check_file(stack.file) if not problem.warning]
    stack.extra_env["HCLOUD_TOKEN"] = CLOUD_TOKEN
    planned = ask(CheckoutStack(stack.name, stack.folder, environment=stack.env))
    assert planned.misconfigured, planned.errors
    assert len(planned.errors) == 2, planned.errors
    first, second = sorted(planned.errors)
    (namespace,) = checked
    said = f"{namespace.field}: {namespace.message} {namespace.hint}"
    assert first.startswith(said), "validate and the program agree"
    assert second.startswith("customer bob: customers[1].plan: 'premium' is not a plan.")


def test_the_public_passphrase_updates_no_stack_outside_of_a_local_cloud(tmp_path):
    stack = Stack(tmp_path / "project", extra_env={"PULUMI_CONFIG_PASSPHRASE": EXAMPLE}).init()
    configure(stack, customer())
    result = stack.up()
    assert result.code != 0
    said = " ".join(result.output.split())
    assert "encrypted with the public passphrase of the examples" in said
    assert "Traceback" not in said
