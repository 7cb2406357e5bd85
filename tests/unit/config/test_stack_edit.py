"""Raising tokenVersion in a stack's file, and nothing else in it."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from clawdet_infra.config.stack_edit import Edit, EditableStackFile, EditCode, EditError, stack_file_of

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
    with pytest.raises(EditError, match="the change would affect other entries too") as refused:
        raise_token_version(file, "ada")
    assert refused.value.code is EditCode.FORM
    assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]


def test_a_token_of_the_customers_own_is_not_rotated(tmp_path: Path) -> None:
    file = written(tmp_path)
    with pytest.raises(EditError, match=r"own has its own gatewayToken.*'clawdet:customers\[3\].gatewayToken'"):
        raise_token_version(file, "own")
    assert file.read_text() == FILE


def test_customers_written_as_one_text_are_left_to_the_operator(tmp_path: Path) -> None:
    file = written(tmp_path, 'config:\n  clawdet:customers: \'[{"id": "ada", "plan": "pro"}]\'\n')
    with pytest.raises(EditError, match="there is no customer ada"):
        stack_file_of(tmp_path, "ada", "prod")
    assert "ada" in file.read_text()


def test_the_file_of_a_stack_has_to_have_the_customer(tmp_path: Path) -> None:
    prod, cell = written(tmp_path), written(tmp_path, FILE.replace("alice", "anna"), "cell")
    assert stack_file_of(tmp_path, "alice", "prod").file == prod
    assert stack_file_of(tmp_path, "bob", "cell").file == cell
    with pytest.raises(EditError, match="Did you mean `alice`"):
        stack_file_of(tmp_path, "alicee", "prod")
    with pytest.raises(EditError, match="there is no file"):
        stack_file_of(tmp_path, "bob", "none")


def edited(folder: Path, text: str, change: Callable[[EditableStackFile], Edit]) -> str:
    return change(EditableStackFile(written(folder, text))).after


def add(file: EditableStackFile) -> Edit:
    return file.add_customer({"id": "new", "plan": "pro", "server": {"type": "cx33"}}, "v1:new")


NEW = """\
    - id: new
      plan: pro
      server:
        type: cx33
      anthropicApiKey:
        secure: v1:new
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  clawdet:customers: []\n\n  # next\n  a:   b\n", f"  clawdet:customers:\n{NEW}\n  # next\n  a:   b\n"),
        ("  customers: []", f"  customers:\n{NEW.rstrip()}"),
        (
            "  clawdet:customers: [{id: a, plan: pro}]\n",
            "  clawdet:customers: [{id: a, plan: pro}, {id: new, plan: pro, server: {type: cx33}, "
            "anthropicApiKey: {secure: v1:new}}]\n",
        ),
        (
            "  clawdet:customers:\n    -\n      id: a\n      # wave: 1\n\n  # next\n",
            f"  clawdet:customers:\n    -\n      id: a\n      # wave: 1\n{NEW}\n  # next\n",
        ),
    ],
)
def test_a_new_customer_comes_to_the_end_of_any_list(tmp_path: Path, before: str, after: str) -> None:
    assert edited(tmp_path, f"config:\n{before}", add) == f"config:\n{after}"


@pytest.mark.parametrize(
    ("text", "change", "words"),
    [
        ("  clawdet:customers: [\n    {id: a},\n  ]\n", add, "fold"),
        ("  clawdet:customers:\n", add, "not written as a list"),
        ("  a: &all [{id: a}]\n  clawdet:customers: *all\n", add, "cannot be changed safely"),
        ("  clawdet:customers:\n    - {id: a, k: *unknown}\n", add, "not valid YAML"),
        ("  clawdet:customers:\n    - {id: a, id: b}\n", add, "written twice"),
        ("  clawdet:customers: []\n---\na: b\n", add, "not valid YAML"),
        ("  # one\u2028# two\n  clawdet:customers: []\n", add, ":2 .*ends lines for some YAML readers only"),
        ("  # one\r# two\n  clawdet:customers: []\n", add, ":2 .*ends lines for some YAML readers only"),
        (
            "  clawdet:customers:\n  - id: a\n    anthropicApiKey: &k {secure: x}\n  - {id: b, anthropicApiKey: *k}\n",
            lambda file: file.set_api_key("a", "v1:new"),
            "would affect other entries",
        ),
        (
            "  clawdet:customers:\n  - &usual\n    id: a\n  - {<<: *usual, id: b}\n",
            lambda file: file.remove_customer("a"),
            "would affect other entries",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused(
    tmp_path: Path, text: str, change: Callable[[EditableStackFile], Edit], words: str
) -> None:
    with pytest.raises(EditError, match=words) as refused:
        edited(tmp_path, f"config:\n{text}", change)
    assert refused.value.code in (EditCode.FORM, EditCode.UNREADABLE)


@pytest.mark.parametrize("identity", ["0123", "2024-1-5", "true", "1e3", "null", "a"])
def test_texts_that_yaml_reads_as_something_else_are_quoted(tmp_path: Path, identity: str) -> None:
    text = edited(tmp_path, FILE, lambda file: file.add_customer({"id": identity, "plan": "pro"}, "v1:new"))
    quoted = identity if identity == "a" else f'"{identity}"'
    assert f"    - id: {quoted}\n" in text


def test_a_key_in_plain_text_becomes_an_encrypted_one(tmp_path: Path) -> None:
    text = "config:\n  clawdet:customers:\n  - id: a\n    anthropicApiKey: sk-ant-plain\n\n  # about b\n  - id: b\n"
    after = text.replace(" sk-ant-plain\n", "\n      secure: v1:new\n")
    assert edited(tmp_path, text, lambda file: file.set_api_key("a", "v1:new")) == after


def test_a_comment_above_goes_with_its_customer_unless_it_may_be_about_the_next_one_too(tmp_path: Path) -> None:
    text = """\
config:
  clawdet:customers:
    # The first.
    - id: a

    # Both of these.
    - id: b
    - id: c
"""
    assert "The first" not in edited(tmp_path, text, lambda file: file.remove_customer("a"))
    assert "Both of these" in edited(tmp_path, text, lambda file: file.remove_customer("b"))


def test_the_last_customer_leaves_an_empty_list(tmp_path: Path) -> None:
    text = "config:\n  clawdet:customers:  # ours\n    - id: a\n\n  other:x:   y\n"
    after = "config:\n  clawdet:customers: [] # ours\n\n  other:x:   y\n"
    assert edited(tmp_path, text, lambda file: file.remove_customer("a")) == after


def test_the_diff_shows_no_secret(tmp_path: Path) -> None:
    text = FILE.replace("secure: v1:aaa", "secure: v1:aaaaaaaa").replace("secure: v1:ccc", "secure: sk-ant-1234567")
    diff = EditableStackFile(written(tmp_path, text)).remove_customer("bob").diff()
    assert "-    - {id: bob" in diff
    assert "secure: [secret]" in diff
    assert not [one for one in ("v1:aaaaaaaa", "sk-ant-1234567", "v1:bbb") if one in diff]


def test_the_diff_shows_that_a_secret_is_another_one(tmp_path: Path) -> None:
    text = FILE.replace("secure: v1:aaa", "secure: v1:aaaaaaaa")
    lines = EditableStackFile(written(tmp_path, text)).set_api_key("alice", "v1:zzzzzzzz").diff().split("\n")
    assert [one.split() for one in lines if one[0] in "+-"][2:] == [
        ["-", "secure:", "[secret]"],
        ["+", "secure:", "[secret]"],
    ]


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    file = written(tmp_path)
    edit = EditableStackFile(file).remove_customer("bob")
    file.write_text("other")
    with pytest.raises(EditError, match="another process changed") as refused:
        edit.write()
    assert refused.value.code is EditCode.CHANGED_MEANWHILE
    assert file.read_text() == "other"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = written(tmp_path / "real")
    link = tmp_path / "Pulumi.prod.yaml"
    link.symlink_to(real)
    EditableStackFile(link).remove_customer("bob").write()
    assert link.is_symlink()
    assert "bob" not in real.read_text()
