from __future__ import annotations

import json
import os
import shutil
import string
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clawdet_infra import render
from clawdet_infra.redaction import values_of
from tests.support.examples import examples
from tests.unit.render.examples import BOT, KEYS, customer

NASTY = [
    "plain",
    "",
    "with space ",
    "'single'",
    '"double"',
    'it\'s "both" $HOME',
    "back\\slash",
    "ends with \\",
    "'ends with \\",
    "$HOME ${HOME} $$",
    "# no comment",
    "a=b",
    "`id` $(id)",
    "{{braces}} %s",
    "äöü 漢字 🦞",
]
printable = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from("'\"\\$#{}=` "),
    max_size=60,
)


def test_a_customers_file_has_the_seeds_variables() -> None:
    one = customer("pro", telegramBotToken=BOT).customer
    text = render.environment(one, gateway_token="a1" * 32, auth_password="b2" * 8)
    assert text.splitlines() == [
        f"ANTHROPIC_API_KEY='{KEYS['pro-1']}'",
        f"OPENCLAW_GATEWAY_TOKEN='{'a1' * 32}'",
        f"AUTH_PASSWORD='{'b2' * 8}'",
        f"TELEGRAM_BOT_TOKEN='{BOT}'",
    ]


@given(st.lists(printable, min_size=1, max_size=4))
@example(values=NASTY)
def test_what_is_written_is_read_back_so_that_it_can_be_hidden(values: list[str]) -> None:
    named = {f"VALUE_{number}": value for number, value in enumerate(values)}
    assert values_of(render.env_file(named)) == named


@pytest.mark.parametrize("bad", ["\n", "\r", "\0", "\t", "\x1b", "\x7f"])
def test_a_value_that_no_env_file_can_carry_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(ValueError, match="AUTH_PASSWORD has a control character") as caught:
        render.env_file({"AUTH_PASSWORD": f"canary{bad}canary"})
    assert "canary" not in str(caught.value)


def compose() -> list[str] | None:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            answer = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
            if answer.returncode == 0 and answer.stdout.strip().lstrip("v").startswith("2."):
                return command
    return None


@pytest.mark.skipif(compose() is None, reason="Docker Compose 2 is not installed on this machine")
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(printable | st.text(string.printable[:95]), min_size=20, max_size=40))
@example(values=NASTY)
def test_compose_takes_every_value_literally(tmp_path: Path, values: list[str]) -> None:
    command = compose()
    assert command is not None
    named = {f"VALUE_{number}": value for number, value in enumerate(values)}
    (tmp_path / ".env").write_text(render.env_file(named))
    variables = "".join(f"      {name}: ${{{name}-unset}}\n" for name in named)
    (tmp_path / "compose.yaml").write_text(f"services:\n  one:\n    image: i\n    environment:\n{variables}")
    shown = subprocess.run(
        [*command, "--project-directory", str(tmp_path), "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    # Compose doubles each dollar sign in what it prints, so that the output is a compose file again.
    found = {
        name: value.replace("$$", "$")
        for name, value in json.loads(shown.stdout)["services"]["one"]["environment"].items()
    }
    assert found == named
