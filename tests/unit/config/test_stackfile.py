"""Reading stack files without the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clawdet_infra.config import Encrypted, stackfile
from clawdet_infra.config.stackfile import StackFile, read_stack_file


@pytest.fixture(params=["libyaml", "pure Python"])
def read(request, tmp_path: Path, monkeypatch):
    """Read a text as a stack file, with either of the two parsers that PyYAML may have."""
    loader = yaml.CSafeLoader if request.param == "libyaml" else yaml.SafeLoader
    monkeypatch.setattr(stackfile, "Loader", loader)

    def reader(text: str) -> StackFile:
        path = tmp_path / "Pulumi.test.yaml"
        path.write_text(text)
        return read_stack_file(path, "clawdet")

    return reader


# What the engine (v3.259.0) made of these, as a program saw it in PULUMI_CONFIG.
AS_THE_ENGINE_READS = [
    ("no", "no"),
    ("yes", "yes"),
    ("on", "on"),
    ("y", "y"),
    ("true", True),
    ("False", False),
    ('"true"', "true"),
    ("010", 8),
    ("08", 8),
    ("0o17", 15),
    ("0x1F", 31),
    ("1_000", 1000),
    ("3072.0", 3072),
    ("1e400", "1e400"),
    ("0o-7", -7),
    ("18446744073709551615", 18446744073709552000),
    ("+9815596782028319720", 9815596782028319000),
    ("123456789012345678901", 123456789012345680000),
    ("._1", "._1"),
    ("0000-02-29", "0000-02-29 00:00:00 +0000 UTC"),
    ("2024-02-30", "2024-02-30"),
    ("1e3", 1000),
    (".5", 0.5),
    ("0.1", 0.1),
    ("-5", -5),
    ("1:30", "1:30"),
    ("12", 12),
    ('"12"', "12"),
    ("!!str 12", "12"),
    ("2026-09-06", "2026-09-06 00:00:00 +0000 UTC"),
    ("2026.9.6", "2026.9.6"),
    ("", None),
    ("~", None),
    ("null", None),
    ('""', ""),
    ("sk-ant-x", "sk-ant-x"),
    ("[a, 1]", ["a", 1]),
    ("{a: 1, 2: b}", {"a": 1, "2": "b"}),
]


@pytest.mark.parametrize(("text", "value"), AS_THE_ENGINE_READS)
def test_values_are_what_the_engine_makes_of_them(read, text, value):
    found = read(f"config:\n  clawdet:x:\n    - {text}\n").config["clawdet:x"][0]
    assert (found, type(found)) == (value, type(value)), "what validates must be what gets deployed"


def test_an_encrypted_value_is_there_but_unknown(read):
    stack = read("config:\n  clawdet:x:\n    - key: {secure: v1:abc}\n      other: {secure: v1, more: x}\n")
    entry = stack.config["clawdet:x"][0]
    assert isinstance(entry["key"], Encrypted)
    assert entry["other"] == {"secure": "v1", "more": "x"}, "only a mapping with nothing else is a secret"


def test_every_value_has_a_place(read):
    stack = read("# comment\nconfig:\n  clawdet:x:\n    - id: a\n      limits:\n        memory: 5\n    - id: b\n")
    assert stack.place("clawdet:x[0].limits.memory") == (6, 9)
    assert stack.place("clawdet:x[1].id") == (7, 7)
    assert stack.place("clawdet:x[1].plan") == (7, 7), "what is missing is placed where it would have to be"
    assert stack.place("clawdet:nothing") == (1, 1)


def test_keys_without_a_namespace_are_the_projects(read):
    assert read("config:\n  x: 1\n  clawdet:config:y: 2\n  hcloud:token: 3\n").config == {
        "clawdet:x": 1,
        "clawdet:y": 2,
        "hcloud:token": 3,
    }


def test_a_key_that_is_written_twice_is_told_with_both_lines(read):
    stack = read("config:\n  clawdet:x:\n    a: 1\n    b: 2\n    a: 3\n")
    assert [str(problem) for problem in stack.problems] == [
        f"{stack.path}:5: clawdet:x.a: is written twice, first in line 3. Remove one."
    ]


def test_anchors_and_merges_are_followed(read):
    stack = read("config:\n  clawdet:x:\n    - &a {k: 1, l: 2}\n    - *a\n    - {<<: *a, l: 3}\n")
    assert stack.config["clawdet:x"] == [{"k": 1, "l": 2}, {"k": 1, "l": 2}, {"k": 1, "l": 3}]


def test_an_alias_to_itself_is_told(read):
    stack = read("config:\n  clawdet:x: &a\n    - *a\n")
    assert [problem.message for problem in stack.problems] == ["contains itself by a YAML alias."]


def test_aliases_that_mean_endless_values_are_told_in_time(read, monkeypatch):
    monkeypatch.setattr(stackfile, "MOST_VALUES", 1000)
    levels = ["  l0: &l0 [x]"] + [f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9)]
    stack = read("config:\n" + "\n".join(levels) + "\n")
    assert [problem.message for problem in stack.problems] == ["has more than 1000 values, by YAML aliases."]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is missing: a stack file has its settings under `config:`."),
        ("encryptionsalt: x\n", "is missing: a stack file has its settings under `config:`."),
        ("config: [a]\n", "is missing: a stack file has its settings under `config:`."),
        ("- config\n", "is missing: a stack file has its settings under `config:`."),
    ],
)
def test_a_file_without_a_configuration_is_told(read, text, message):
    assert [(problem.field, problem.message) for problem in read(text).problems] == [("config", message)]


def test_broken_yaml_is_told_with_its_line_and_without_its_text(read):
    stack = read("config:\n  clawdet:x:\n    - key: sk-ant-c4nary\n     bad: [1\n")
    (problem,) = stack.problems
    assert problem.message.startswith("cannot be read: it is not valid YAML (")
    assert problem.line == 4
    assert "c4nary" not in str(problem), "a parser's own message quotes the line, which may hold a secret"


def test_a_file_that_is_no_text_is_told(tmp_path):
    path = tmp_path / "Pulumi.test.yaml"
    path.write_bytes(b"config: \xff\xfe")
    assert [problem.message for problem in read_stack_file(path, "clawdet").problems] == [
        "cannot be read: the file is not UTF-8 text."
    ]
