"""Checking a stack file: every rule, with file and line, without the engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from clawdet_infra.config import check_file, read_fleet
from tests.unit.config.samples import customer, fleet

FORM = "Use a-z, 0-9 and hyphens; begin and end each part with a letter or a digit."
SECURE = {"secure": "v1:AAAA:BBBB"}

GOOD = """\
config:
  hcloud:token: {secure: v1:a}
  clawdet:domain: clawdet.com
  clawdet:acmeEmail: ops@clawdet.com
  clawdet:release:
    gateway: ghcr.io/openclaw/openclaw:2026.9.6
    proxy: docker.io/library/caddy:2.11.9
    browser: docker.io/chromedp/headless-shell:140.0
  clawdet:ssh:
    sources: [203.0.113.0/24]
  clawdet:customers:
    - id: alice
      plan: pro
      anthropicApiKey: {secure: v1:b}
    - id: bob
      plan: pro
      anthropicApiKey: {secure: v1:c}
"""


@pytest.fixture
def check(tmp_path: Path):
    """Check a text as a stack file; what is found, without the folder."""

    def checker(text: str) -> list[str]:
        path = tmp_path / "Pulumi.test.yaml"
        path.write_text(text)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in check_file(path)]

    return checker


def test_a_good_file_has_no_problems(check):
    assert check(GOOD) == []


def test_problems_come_with_file_and_line_in_the_order_of_the_file(check):
    text = (
        GOOD.replace("clawdet.com\n", "localhost\n", 1)
        .replace("id: bob", "id: alice")
        .replace("plan: pro", "plan: x", 1)
    )
    assert check(text) == [
        "Pulumi.test.yaml:3: domain: 'localhost' is not a domain: it has no dot. Write for example `clawdet.com`.",
        "Pulumi.test.yaml:13: customer alice: customers[0].plan: 'x' is not a plan. Use free, pro or enterprise.",
        "Pulumi.test.yaml:15: customer alice: customers[1].id: 'alice' is already the id of customers[0]. "
        "Each customer needs its own id.",
    ]


def test_what_is_missing_has_the_line_of_what_it_is_missing_in(check):
    found = check(GOOD.replace("      anthropicApiKey: {secure: v1:c}\n", ""))
    assert found == [
        "Pulumi.test.yaml:15: customer bob: customers[1].anthropicApiKey: is missing. Set it with "
        "`pulumi config set --secret --path 'clawdet:customers[1].anthropicApiKey'`."
    ]


def test_an_unknown_key_of_the_program_has_its_line(check):
    found = check(GOOD.replace("clawdet:ssh:", "clawdet:ssl:"))
    assert [line.split(" is ")[0] for line in found] == ["Pulumi.test.yaml:9: ssl:"], (
        "the missing `ssh` is the misspelt `ssl`, so it is one problem"
    )


def test_keys_of_other_programs_are_none_of_our_business(check):
    assert check(GOOD + "  aws:region: eu-central-1\n  pulumi:tags: {a: b}\n") == []


def test_the_cloud_token_may_come_from_the_environment(check):
    assert check(GOOD.replace("  hcloud:token: {secure: v1:a}\n", "")) == []


def test_a_local_cloud_need_not_be_up(check):
    assert check(GOOD + "  clawdet:cloud: .clawdet/cloud/local/info.json\n") == []


def test_a_cloud_that_is_written_out_is_judged(check):
    assert check(GOOD + "  clawdet:cloud: {resolver: x}\n") == [
        "Pulumi.test.yaml:18: cloud.resolver: 'x' is not an address and a port. Write for example `127.0.0.1:8453`."
    ]


def test_a_truth_value_in_quotes_is_one_for_the_engine_as_well(check):
    assert check(GOOD + '  clawdet:protect: "false"\n') == []
    assert check(GOOD + "  clawdet:protect: false\n") == []


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("id: 123", 'must be text, but YAML reads it as the number 123. Put it in quotes: "123".'),
        ("id: 1_0", "must be text, but YAML reads it as the number 10. Write `1-0`. " + FORM),
        ("id: 0123", 'must be text, but YAML reads it as the number 83. Put it in quotes: "0123".'),
        ("id: 12.50", 'must be text, but YAML reads it as the number 12.5. Put it in quotes: "12.50".'),
        ("id: 2024-1-5", 'must be text, but YAML reads it as a date. Put it in quotes: "2024-1-5".'),
        ("id: True", 'must be text, but YAML reads it as the boolean true. Write `"true"`.'),
        ("id: true", 'must be text, but YAML reads it as the boolean true. Put it in quotes: "true".'),
        ("id: ~", "is empty. Write a value, or leave the line out where it is optional."),
        ("id:", "is empty. Write a value, or leave the line out where it is optional."),
    ],
)
def test_what_yaml_does_not_read_as_text_comes_with_the_advice_to_quote_it(check, written, message):
    assert check(GOOD.replace("id: bob", written)) == [f"Pulumi.test.yaml:15: customer #2: customers[1].id: {message}"]


@pytest.mark.parametrize("written", ["id: no", "id: yes", "id: off", 'id: "123"', "id: 1-2"])
def test_what_the_engine_reads_as_text_is_text(check, written):
    assert check(GOOD.replace("id: bob", written)) == []


def test_a_secret_in_plain_text_is_a_warning_that_does_not_show_it(tmp_path):
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(GOOD.replace("{secure: v1:c}", "sk-ant-c4nary-c4nary-c4nary"))
    (problem,) = check_file(path)
    assert problem.warning, "it deploys all the same"
    assert str(problem) == (
        f"{path}:17: customers[1].anthropicApiKey: is in plain text; everyone who can read the file can use it. "
        "Encrypt it with `pulumi config set --secret --path 'clawdet:customers[1].anthropicApiKey'`."
    )


def test_what_is_no_secret_must_not_be_encrypted(check):
    found = check(GOOD.replace("plan: pro", "plan: {secure: v1:x}", 1).replace("clawdet.com\n", "{secure: v1:y}\n", 1))
    assert found == [
        "Pulumi.test.yaml:3: domain: is encrypted, but must be in plain text: it is not a secret, and reviewers have "
        "to see it.",
        "Pulumi.test.yaml:13: customer alice: customers[0].plan: is encrypted, so only the engine can read and check "
        "it, and reviewers do not see it. Write it in plain text, and encrypt each secret in it separately.",
    ]


@pytest.mark.parametrize(
    "written",
    [
        "  clawdet:customers: {secure: v1:x}\n",
        "  clawdet:customers: []\n  clawdet:cloud: {secure: v1:x}\n",
        "  clawdet:customers:\n    - {id: {secure: v1:x}, plan: pro, anthropicApiKey: {secure: v1:x}}\n",
    ],
    ids=["all customers", "the cloud", "a text of a customer"],
)
def test_what_the_engine_decrypts_for_the_program_is_a_warning(tmp_path, written):
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(GOOD[: GOOD.index("  clawdet:customers")] + written)
    fleet, (problem,) = read_fleet(path)
    assert problem.warning, "the program takes it"
    assert "only the engine can read and check it" in problem.message
    assert fleet is None, "nobody knows yet what would be deployed"


@pytest.mark.parametrize(
    "written",
    [
        "    - {secure: v1:x}\n",
        "    - {id: a, plan: pro, anthropicApiKey: {secure: v1:x}, limits: {memory: {secure: v1:x}}}\n",
    ],
    ids=["a customer", "a number"],
)
def test_what_the_engine_decrypts_to_a_text_is_refused_where_none_is_possible(check, written):
    (told,) = check(GOOD[: GOOD.index("    - id: alice")] + written)
    assert "but is an encrypted value" in told


@pytest.mark.parametrize("written", ['""', "", "~"])
def test_an_empty_cloud_token_is_taken_from_the_environment(check, written):
    assert check(GOOD.replace("{secure: v1:a}", written)) == []


def test_settings_of_an_environment_are_not_missed_in_the_file(tmp_path):
    path = tmp_path / "Pulumi.test.yaml"
    text = GOOD[: GOOD.index("  clawdet:customers")]
    path.write_text(f"environment: [clawdet/prod-secrets]\n{text}")
    fleet, (problem,) = read_fleet(path)
    assert problem.warning
    assert str(problem).startswith(f"{path}:1: environment: adds settings that are not in the file")
    assert fleet is None, "nobody knows yet what would be deployed"
    path.write_text(f"environment: [clawdet/prod-secrets]\n{text.replace('203.0.113.0/24', 'office')}")
    assert [one.field for one in check_file(path) if not one.warning] == ["ssh.sources[0]"], "what is there is judged"


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("Clawdet:zone", "Did you mean `clawdet:zone`?"),
        ("clawdett:zone", "Did you mean `clawdet:zone`?"),
        ("Clawdet:zonee", "Did you mean `clawdet:zone`?"),
        ("hcIoud:endpoint", "Remove it; `clawdet:cloud` says how the cloud is reached."),
        ("hcIoud:token", "`hcloud:token` is already set; remove this line."),
    ],
)
def test_a_namespace_that_resembles_ours_is_told(check, key, advice):
    (told,) = check(f"{GOOD}  {key}: existing\n")
    namespace = key.partition(":")[0]
    assert told == f"Pulumi.test.yaml:18: {key}: is in the namespace '{namespace}', which nothing reads. {advice}"


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("hcloud:tokn", "`hcloud:token` is already set; remove this line."),
        ("hcloud:Token", "`hcloud:token` is already set; remove this line."),
        ("hcloud:endpoint", "Remove it; `clawdet:cloud` says how the cloud is reached."),
        ("hcloud:pollInterval", "Remove it; `clawdet:cloud` says how the cloud is reached."),
    ],
)
def test_of_the_providers_settings_the_token_alone_is_read(check, key, advice):
    (told,) = check(f"{GOOD}  {key}: existing\n")
    assert told.startswith(f"Pulumi.test.yaml:18: {key}: is not read: the program reads only `hcloud:token` ")
    assert told.endswith(advice)


def test_a_mistyped_token_is_renamed(check):
    (told,) = check(GOOD.replace("hcloud:token:", "hcloud:tokn:"))
    assert told.endswith("Did you mean `hcloud:token`?")


def test_customers_as_a_mapping_are_one_message_with_its_line(check):
    text = GOOD[: GOOD.index("    - id: alice")] + "    alice: {plan: pro}\n"
    assert check(text) == [
        "Pulumi.test.yaml:11: customers: must be a list, but is a mapping. "
        "In YAML, begin each entry with `- ` on its own line."
    ]


def test_a_key_that_is_written_twice_does_not_hide_the_other_problems(check):
    found = check(GOOD.replace("plan: pro", "plan: pro\n      plan: x", 1).replace("id: bob", "id: Bob"))
    assert [line.split(": ", 1)[0] for line in found] == ["Pulumi.test.yaml:14", "Pulumi.test.yaml:16"]


def test_a_file_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "Pulumi.nothing.yaml"
    assert [str(problem) for problem in check_file(path)] == [
        f"{path}:1: config: cannot be read: there is no such file."
    ]


def test_a_folder_is_no_file(tmp_path):
    assert [problem.message for problem in check_file(tmp_path)] == ["cannot be read: is a directory."]


def _written(raw: dict[str, Any], path: Path) -> Path:
    path.write_text(yaml.safe_dump({"config": {f"clawdet:{key}": value for key, value in raw.items()}}))
    return path


def test_a_thousand_customers_are_checked(tmp_path):
    entries = [customer(f"c{number}", anthropicApiKey=dict(SECURE), limits={"pids": 300}) for number in range(1000)]
    path = _written(fleet(*entries, cloud=None), tmp_path / "Pulumi.test.yaml")
    assert check_file(path) == []
    last = entries[-1]
    path = _written(fleet(*entries[:-1], {**last, "plan": "gold"}, cloud=None), tmp_path / "Pulumi.test.yaml")
    assert [problem.customer for problem in check_file(path)] == ["c999"]


def test_checking_a_file_needs_no_pulumi(tmp_path):
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(GOOD)
    program = (
        "import sys; from clawdet_infra.config import check_file; "
        "print(check_file(sys.argv[1]), 'pulumi' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n", "importing pulumi would take longer than everything else"
