"""Edits of generated files: every line that an edit is not about stays as it is, byte for byte."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.config.stack_edit import Edit, EditableStackFile, EditCode, EditError
from tests.support import examples  # noqa: F401 -- it sets how many examples are tried

KEY = "v1:bmV3IG5vbmNl:bmV3IGNpcGhlcnRleHQ="
IDS = ["ada", "bob", "eve", "mia", "zoë.x"]

comments = st.sampled_from(["plain", "with a\ttab", "naïve – “quotes” 漢字", "- id: none", "{[&*!|>", "key: value"])


@dataclass
class Written:
    """A generated file: its lines without ends, and whose each line is: a customer's, or None."""

    lines: list[str] = field(default_factory=list)
    owners: list[str | None] = field(default_factory=list)
    end: str = "\n"
    final: str = "\n"
    mark: str = ""
    ids: list[str] = field(default_factory=list)
    plain: bool = True
    """Whether no line is written in a form that ruamel.yaml cannot keep."""

    def add(self, line: str, owner: str | None = None) -> None:
        self.lines.append(line)
        self.owners.append(owner)

    @property
    def text(self) -> str:
        return self.mark + self.end.join(self.lines) + self.final.replace("\n", self.end)


@st.composite
def scalars(draw: st.DrawFn, text: str) -> str:
    return draw(st.sampled_from([text, f"'{text}'", f'"{text}"']))


def remark(draw: st.DrawFn, owner: str | None = None) -> str:
    about = f" of {owner}" if owner else ""
    return draw(st.just("") | comments.map(lambda text: f"  # {text}{about}"))


@st.composite
def files(draw: st.DrawFn) -> Written:
    made = Written(
        end=draw(st.sampled_from(["\n", "\n", "\r\n"])),
        final=draw(st.sampled_from(["\n", "\n", ""])),
        mark=draw(st.sampled_from(["", "", "\ufeff"])),
    )
    for _ in range(draw(st.integers(0, 2))):
        made.add(f"# {draw(comments)}")
    made.add(f"encryptionsalt: v1:abc{remark(draw)}")
    made.add("config:")
    step = draw(st.sampled_from([2, 2, 4]))
    before, after = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    for number in range(before):
        section(draw, made, " " * step, number)
    made.ids = draw(st.lists(st.sampled_from(IDS), unique=True, max_size=4))
    customers(draw, made, step, odd=draw(st.booleans()))
    for number in range(after):
        section(draw, made, " " * step, 10 + number)
    return made


def section(draw: st.DrawFn, made: Written, indent: str, number: int) -> None:
    """Settings that no edit is about."""
    for _ in range(draw(st.integers(0, 1))):
        made.add("")
        made.add(f"{indent}# {draw(comments)}")
    match draw(st.integers(0, 5)):
        case 0:
            made.add(f"{indent}other:key{number}:   {draw(scalars('a  b'))}{remark(draw)}")
        case 1:
            made.add(f"{indent}other:list{number}: [ 1,2 , 'three' ]{remark(draw)}")
        case 2:
            made.add(f"{indent}other:text{number}: |")
            made.add(f"{indent}  # no comment, id: ada")
            made.add(f"{indent}    - id: bob\tand a tab")
        case 3:
            made.add(f"{indent}other:folded{number}: one")
            made.add(f"{indent}    two three")
        case 4:
            made.add(f"{indent}other:anchor{number}: &a{number} {{x: 010, y: 1.50, z: 2024-13-01}}")
            made.add(f"{indent}other:alias{number}: *a{number}")
        case _:
            made.add(f"{indent}other:deep{number}:")
            made.add(f"{indent}       a:    yes")
            made.add(f"{indent}       b:")
            made.add(f"{indent}       - 'x'")


def customers(draw: st.DrawFn, made: Written, step: int, *, odd: bool) -> None:
    indent = " " * step
    if not made.ids:
        made.add(f"{indent}clawdet:customers: []{remark(draw)}")
        return
    made.add(f"{indent}clawdet:customers:{remark(draw)}")
    dash = indent + " " * draw(st.sampled_from([0, 2, 4]))
    gap, apart = draw(st.sampled_from([1, 1, 3])), draw(st.booleans())
    if draw(st.booleans()):
        made.add(f"{dash}# {draw(comments)} of the list")
        made.add("")
    anchored = False
    for number, identity in enumerate(made.ids):
        if number and (apart or anchored):
            made.add("")
        if apart and draw(st.booleans()):
            made.add(f"{dash}# {draw(comments)} of {identity}", identity)
        if draw(st.integers(0, 3)) == 0:
            spaces = " " if odd and draw(st.booleans()) else ""
            made.plain &= not spaces
            made.add(
                f"{dash}-{' ' * gap}{{{spaces}id: {identity}, plan: pro, anthropicApiKey: {{secure: v1:{identity}}}}}"
                f"{remark(draw, identity)}",
                identity,
            )
            continue
        inner = dash + " " * (gap + 1)
        lines = [f"id: {draw(scalars(identity))}", f"plan: {draw(scalars('pro'))}"]
        if odd and draw(st.booleans()):
            lines.append("limits:    {cpus: 2,memory: 4096}")
        key = ["anthropicApiKey:", f"{' ' * step}secure: {draw(scalars(f'v1:{identity}'))}"]
        if odd and draw(st.booleans()):
            key[1] = key[1].replace("secure: ", "secure:   ")
            made.plain = False
        blocks: list[list[str]] = [*([one] for one in lines), key]
        if draw(st.booleans()):
            blocks.append(["tokenVersion: 7"])
        if draw(st.booleans()):
            blocks.append(["server:", f"{' ' * step}type: cx33"])
        blocks = draw(st.permutations(blocks))
        for at, line in enumerate(one for block in blocks for one in block):
            start = f"{dash}-{' ' * gap}" if at == 0 else inner
            made.add(f"{start}{line}{remark(draw, identity)}", identity)
            if at and not line.endswith(":") and draw(st.integers(0, 4)) == 0:
                made.add(f"{inner}# {draw(comments)} of {identity}", identity)


def lines_of(text: str) -> list[str]:
    """The lines of a text, each with its end; what is after the last end is a line only if something is."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


@dataclass(frozen=True)
class Done:
    """What an edit did: the new text, and the lines of the old and the new one that differ, as one block."""

    text: str
    gone: list[str]
    added: list[str]
    owners: set[str | None]
    """Whose the lines were that are gone."""


def edit(made: Written, change: Callable[[EditableStackFile], Edit]) -> Done:
    """Make an edit, in a folder that has nothing but the file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "Pulumi.test.yaml"
        file.write_text(made.text, encoding="utf-8", newline="")
        change(EditableStackFile(file)).write()
        assert [one.name for one in Path(folder).iterdir()] == [file.name]
        text = file.read_bytes().decode()
    before, after = lines_of(made.text), lines_of(text)
    if not made.final and before[-1] != after[-1]:
        # A line without an end gets one if another line follows.
        before[-1] += made.end
    start = next((at for at, (one, two) in enumerate(zip(before, after, strict=False)) if one != two), None)
    start = min(len(before), len(after)) if start is None else start
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    gone = before[start : len(before) - end]
    owners = {owner for owner, line in zip(made.owners[start:], gone, strict=False) if line.strip()}
    return Done(text, gone, after[start : len(after) - end], owners)


def customers_of(text: str) -> list[dict[str, object]]:
    return yaml.load(text.removeprefix("\ufeff"), yaml.BaseLoader)["config"]["clawdet:customers"]


def attempt(made: Written, change: Callable[[EditableStackFile], Edit]) -> Done | None:
    """Make an edit; it may be refused for its form alone, and then only in a file that has an odd one."""
    try:
        return edit(made, change)
    except EditError as error:
        if error.code is not EditCode.FORM or made.plain:
            raise AssertionError(f"{error}\n{made.text}") from error
        return None


@given(data=st.data())
def test_adding_a_customer_adds_lines_and_changes_none(data: st.DataObject) -> None:
    made = data.draw(files())
    if (done := attempt(made, lambda file: file.add_customer({"id": "new", "plan": "pro"}, KEY))) is None:
        return
    if made.ids:
        assert not done.gone
    else:
        [gone] = done.gone
        kept, comment = gone.rstrip("\r\n").split(" []")
        assert done.added[0].rstrip("\r\n").startswith(kept)
        assert done.added[0].rstrip("\r\n").endswith(comment.strip())
    assert sum(bool(one.strip()) for one in done.added) == 4 + (not made.ids)
    assert all(one.endswith(made.end) for one in done.added if made.final)
    assert customers_of(done.text)[-1] == {"id": "new", "plan": "pro", "anthropicApiKey": {"secure": KEY}}


@given(data=st.data())
def test_removing_a_customer_removes_its_lines_alone(data: st.DataObject) -> None:
    made = data.draw(files().filter(lambda one: bool(one.ids)))
    identity = data.draw(st.sampled_from(made.ids))
    if (done := attempt(made, lambda file: file.remove_customer(identity))) is None:
        return
    assert [one["id"] for one in customers_of(done.text)] == [one for one in made.ids if one != identity]
    if len(made.ids) > 1:
        assert not done.added
        own = Counter(line for line, owner in zip(made.lines, made.owners, strict=True) if owner == identity)
        assert Counter(line.rstrip("\r\n") for line in done.gone if line.strip()) <= own
    others = [line for line, owner in zip(made.lines, made.owners, strict=True) if owner != identity and line.strip()]
    if len(made.ids) == 1:
        others = [line for line in others if "clawdet:customers:" not in line]
    left = iter(done.text.removeprefix(made.mark).replace("\r\n", "\n").split("\n"))
    assert all(line in left for line in others), "the lines of others are there, in their order"


@given(data=st.data())
def test_another_key_changes_one_line(data: st.DataObject) -> None:
    made = data.draw(files().filter(lambda one: bool(one.ids)))
    identity = data.draw(st.sampled_from(made.ids))
    if (done := attempt(made, lambda file: file.set_api_key(identity, KEY))) is None:
        return
    assert len(done.gone) == len(done.added) == 1
    assert done.owners == {identity}
    assert [one["id"] for one in customers_of(done.text) if one["anthropicApiKey"] == {"secure": KEY}] == [identity]


@given(data=st.data())
def test_another_token_version_changes_one_line(data: st.DataObject) -> None:
    made = data.draw(files().filter(lambda one: bool(one.ids)))
    identity = data.draw(st.sampled_from(made.ids))
    if (done := attempt(made, lambda file: file.raise_token_version(identity)[1])) is None:
        return
    assert len(done.added) == 1
    assert done.owners <= {identity}
    assert len(done.gone) <= 1
