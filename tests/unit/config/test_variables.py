"""Environment variables of before: they work, with one warning, and never beside another value."""

from __future__ import annotations

import pytest

from clawdet_infra.config import variables
from clawdet_infra.config.variables import RENAMED, VariableError, read_variable

NAMES = [pytest.param(new, old, id=new) for new, old in RENAMED.items()]


@pytest.fixture(autouse=True)
def _a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "_warned", set())


@pytest.mark.parametrize(("new", "old"), NAMES)
def test_a_variable_is_read_by_its_name(new: str, old: str, caplog: pytest.LogCaptureFixture) -> None:
    assert read_variable({new: "a"}, new) == "a"
    assert read_variable({new: ""}, new) is None
    assert read_variable({}, new) is None
    assert caplog.text == ""


@pytest.mark.parametrize(("new", "old"), NAMES)
def test_the_old_name_works_with_one_warning(new: str, old: str, caplog: pytest.LogCaptureFixture) -> None:
    assert [read_variable(one, new) for one in ({old: "a"}, {old: "a", new: "a"}, {old: "a", new: ""})] == ["a"] * 3
    assert [one.getMessage() for one in caplog.records] == [
        f"{old} is now {new}; the old name works in this version for the last time"
    ]


@pytest.mark.parametrize(("new", "old"), NAMES)
def test_two_values_are_an_error_that_shows_none(new: str, old: str) -> None:
    with pytest.raises(VariableError, match=f"{new} and {old}, its old name, are set to different values") as caught:
        read_variable({new: "canary-one", old: "canary-two"}, new)
    assert "canary" not in str(caught.value)
