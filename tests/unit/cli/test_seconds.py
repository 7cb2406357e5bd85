"""Options that take a duration: text with units, or a number of seconds, within bounds."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from clawdet_infra.cli.main import app
from clawdet_infra.cli.seconds import seconds


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("1.5", 1.5), ("90s", 90), ("15m", 900), (55, 55)])
def test_a_duration_is_read_as_seconds(text: str | float, expected: float) -> None:
    assert seconds()(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("soon", "`soon` is not a duration; write it such as 30m, 2h or 1d12h, or a number of seconds"),
        ("0", "it has to be at least 1s and at most 10m, not 0"),
        ("11m", "it has to be at least 1s and at most 10m, not 11m"),
        ("inf", "it has to be at least 1s and at most 10m"),
        ("nan", "it has to be at least 1s and at most 10m"),
    ],
)
def test_what_is_no_duration_or_out_of_bounds_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        seconds(most=600)(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("daemon", "--interval"),
        ("health", "--interval"),
        ("health", "--deadline"),
        ("up", "--wait-timeout"),
        ("deprovision", "ada", "--deadline"),
    ],
)
def test_every_option_with_a_duration_says_what_it_takes(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*arguments, "soon"])
    assert result.exit_code == 2
    # It stands in a box, as wide as the terminal.
    assert "is not a duration; write it such as 30m" in " ".join(result.stderr.replace("│", " ").split())
