"""Raising tokenVersion in a stack's file, and nothing else in it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from clawdet_infra.stackedit import EditableStackFile, EditCode, EditError, stack_file_of

FILE = """\
encryptionsalt: v1:abc
config:
  # who pays — and who does not
  clawdet:domain: clawdet.test
  clawdet:customers:
    - id: alice   # the first
      plan: free   # for ever
      anthropicApiKey:
        secure: v1:aaa
    # our best
    - {id: bob, plan: pro, anthropicApiKey: {secure: v1:bbb}}
    - anthropicApiKey: {secure: v1:ccc}
      id: eve
      tokenVersion: 7  # rotated in May
      plan: "pro"
    - id: own
      plan: pro
      gatewayToken: {secure: v1:ddd}
    - id: last
      plan: pro"""


def written(folder: Path, text: str = FILE, name: str = "prod") -> Path:
    file = folder / f"Pulumi.{name}.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    return file


def raise_token_version(file: Path, customer: str) -> int:
    version, edit = EditableStackFile(file).raise_token_version(customer)
    edit.write()
    return version


@pytest.mark.parametrize(
    ("customer", "version", "before", "after"),
    [
        ("alice", 2, "plan: free   # for ever\n", "plan: free   # for ever\n      tokenVersion: 2\n"),
        ("bob", 2, "{id: bob, plan: pro, ", "{id: bob, plan: pro, tokenVersion: 2, "),
        ("eve", 8, "tokenVersion: 7  # rotated in May", "tokenVersion: 8  # rotated in May"),
        ("last", 2, "- id: last\n      plan: pro", "- id: last\n      plan: pro\n      tokenVersion: 2\n"),
    ],
)
def test_only_the_version_changes(tmp_path: Path, customer: str, version: int, before: str, after: str) -> None:
    file = written(tmp_path)
    file.chmod(0o640)
    assert raise_token_version(file, customer) == version
    assert file.read_text() == FILE.replace(before, after)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_it_can_be_raised_again(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert [raise_token_version(file, "alice") for _ in range(3)] == [2, 3, 4]
    assert file.read_text() == FILE.replace("for ever\n", "for ever\n      tokenVersion: 4\n")


def test_line_ends_and_byte_order_mark_stay(tmp_path: Path) -> None:
    text = "\ufeff" + FILE.replace("\n", "\r\n")
    file = written(tmp_path, text)
    raise_token_version(file, "alice")
    expected = text.replace("# for ever\r\n", "# for ever\r\n      tokenVersion: 2\r\n")
    assert file.read_bytes().decode() == expected


def test_a_version_from_a_merged_mapping_is_overridden_where_it_counts(tmp_path: Path) -> None:
    text = """\
config:
  clawdet:customers:
    - &usual
      id: ada
      plan: pro
      tokenVersion: 3
    - <<: *usual
      id: bob
      plan: pro
"""
    file = written(tmp_path, text)
    assert raise_token_version(file, "bob") == 4
    assert file.read_text() == text + "      tokenVersion: 4\n"


def test_an_edit_that_would_change_another_customer_is_not_made(tmp_path: Path) -> None:
    text = """\
config:
  clawdet:customers:
    - &usual
      id: ada
      plan: pro
    - <<: *usual
      id: bob
"""
    file = written(tmp_path, text)
    with pytest.raises(EditError, match="the change would reach other entries too") as refused:
        raise_token_version(file, "ada")
    assert refused.value.code is EditCode.FORM
    assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]


def test_a_token_of_the_customers_own_is_not_rotated(tmp_path: Path) -> None:
    file = written(tmp_path)
    with pytest.raises(EditError, match=r"own has a gatewayToken of its own.*'clawdet:customers\[3\].gatewayToken'"):
        raise_token_version(file, "own")
    assert file.read_text() == FILE


def test_customers_written_as_one_text_are_left_to_the_operator(tmp_path: Path) -> None:
    file = written(tmp_path, 'config:\n  clawdet:customers: \'[{"id": "ada", "plan": "pro"}]\'\n')
    with pytest.raises(EditError, match="there is no customer ada"):
        stack_file_of(tmp_path, "ada")
    assert "ada" in file.read_text()


def test_the_file_is_found_by_the_customer(tmp_path: Path) -> None:
    prod, cell = written(tmp_path), written(tmp_path, FILE.replace("alice", "anna"), "cell")
    assert stack_file_of(tmp_path, "anna").file == cell
    assert stack_file_of(tmp_path, "alice").file == prod
    with pytest.raises(EditError, match=r"Pulumi\.cell\.yaml and Pulumi\.prod\.yaml both have a customer bob"):
        stack_file_of(tmp_path, "bob")
    assert stack_file_of(tmp_path, "bob", "cell").file == cell
    with pytest.raises(EditError, match="Did you mean `alice`"):
        stack_file_of(tmp_path, "alicee")
    with pytest.raises(EditError, match="there is no file"):
        stack_file_of(tmp_path, "bob", "none")
