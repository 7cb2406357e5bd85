from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping

import pytest

from clawdet_infra.checks.secrets import NASTY, env_file_findings, token_findings
from clawdet_infra.components import random_hex, token
from clawdet_infra.model.secrets import TOKEN_BYTES, derived_password


def counted(write: Callable[[int], str]) -> Callable[[], str]:
    numbers = itertools.count(10**9)
    return lambda: write(next(numbers))


def spread(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" + "0123456789abcdef" * 3


def test_tokens_of_the_systems_random_numbers_pass() -> None:
    assert list(token_findings()) == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: "0123456789abcdef" * 4, "made twice"),
        (counted(lambda number: spread(number)[:62]), "its length is 62"),
        (counted(lambda number: spread(number).upper()), "upper-case"),
        (counted(lambda number: "ab" * 27 + f"{number}"), "same password"),
        (counted(lambda number: "0" * 54 + f"{number}"), "placeholder"),
        (counted(lambda number: time.sleep(0.011) or spread(number)), " ms; more than 10 is odd"),
    ],
)
def test_a_generator_that_is_not_one_is_found_and_no_token_shown(make: Callable[[], str], said: str) -> None:
    findings = list(token_findings(make))
    assert any(said in finding.message for finding in findings), findings
    assert make() not in str(findings)


def test_the_program_uses_the_rules_that_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert token.derived_password is derived_password
    assert token.TOKEN_BYTES is TOKEN_BYTES
    assert token.random_hex is random_hex.random_hex


def test_the_programs_env_file_passes() -> None:
    assert list(env_file_findings()) == []


def test_an_env_file_that_changes_values_is_found() -> None:
    def without_quotes(values: Mapping[str, str]) -> str:
        return "".join(f"{name}='{value}'\n" for name, value in values.items() if value.isprintable() or _refuse())

    findings = list(env_file_findings(without_quotes))
    assert findings, "a value with a quote in it does not survive this"
    assert all("does not come back" in finding.message for finding in findings)
    assert len(findings) < len(NASTY)


def _refuse() -> bool:
    raise ValueError("a control character")


def test_an_env_file_that_takes_anything_is_found() -> None:
    findings = [one for one in env_file_findings(lambda values: repr(dict(values))) if "not refused" in one.message]
    assert len(findings) == 6
