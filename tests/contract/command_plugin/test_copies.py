"""remote.CopyToRemote and remote.CopyFile: what is copied, where to, and when again."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from tests.contract.command_plugin.sdk import remote
from tests.contract.command_plugin.sshd import Sshd
from tests.contract.command_plugin.stack import Stack

pytestmark = pytest.mark.engine


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


def test_a_file_is_copied_again_when_its_content_or_its_place_changes(
    stack: Stack, sshd: Sshd, tmp_path: Path, there: Path
) -> None:
    source = tmp_path / "source"

    def program(place: str) -> None:
        remote.CopyToRemote(
            "it", connection=sshd.connection(), source=pulumi.FileAsset(str(source)), remote_path=str(there / place)
        )

    source.write_text("one")
    stack.up(lambda: program("a/b/file"))
    assert (there / "a/b/file").read_text() == "one", "missing folders are made"

    (there / "a/b/file").write_text("changed there")
    assert stack.preview(lambda: program("a/b/file")) == {}
    source.write_text("two")
    assert stack.up(lambda: program("a/b/file")).operations == [("update", "it")]
    assert (there / "a/b/file").read_text() == "two"

    assert stack.up(lambda: program("other")).operations == [("update", "it")]
    assert (there / "other").read_text() == "two"
    assert (there / "a/b/file").exists(), "nothing is deleted at the old place"
    stack.destroy()
    assert (there / "other").exists(), "nor when the resource goes"


def test_a_changed_connection_alone_copies_nothing(stack: Stack, sshd: Sshd, there: Path) -> None:
    def program(limit: int) -> None:
        connection = sshd.connection(dial_error_limit=limit)
        source = pulumi.StringAsset("text")
        remote.CopyToRemote("it", connection=connection, source=source, remote_path=str(there / "file"))

    stack.up(lambda: program(1))
    (there / "file").unlink()
    assert stack.up(lambda: program(2)).operations == [("update", "it")]
    assert not (there / "file").exists(), "a replaced machine therefore needs its id among the triggers"


def test_a_trigger_copies_again(stack: Stack, sshd: Sshd, there: Path) -> None:
    def program(trigger: str) -> None:
        remote.CopyToRemote(
            "it",
            connection=sshd.connection(),
            source=pulumi.StringAsset("text"),
            remote_path=str(there / "file"),
            triggers=[trigger],
        )

    stack.up(lambda: program("server-1"))
    (there / "file").unlink()
    run = stack.up(lambda: program("server-2"))
    assert ("create-replacement", "it") in run.operations
    assert (there / "file").read_text() == "text"


def test_a_folder_is_copied_with_all_it_holds(stack: Stack, sshd: Sshd, tmp_path: Path, there: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "file").write_text("deep")
    (source / "large").write_bytes(bytes(range(256)) * 8192)

    def program() -> None:
        connection, archive = sshd.connection(), pulumi.FileArchive(str(source))
        remote.CopyToRemote("it", connection=connection, source=archive, remote_path=str(there / "new"))

    stack.up(program)
    assert (there / "new/source/deep/file").read_text() == "deep"
    assert (there / "new/source/large").read_bytes() == (source / "large").read_bytes()


def test_what_cannot_be_copied_is_refused_before_anything_runs(stack: Stack, sshd: Sshd, there: Path) -> None:
    def program(source: pulumi.Asset | pulumi.Archive, place: Path) -> None:
        remote.CopyToRemote("it", connection=sshd.connection(), source=source, remote_path=str(place))

    archive = pulumi.AssetArchive({"a": pulumi.StringAsset("b")})
    with stack.failing("archive must be", ours="an archive must be a FileArchive"):
        stack.up(lambda: program(archive, there / "file"))
    with stack.failing("a text asset", ours="is a folder; a text asset needs the path of a file"):
        stack.up(lambda: program(pulumi.StringAsset("text"), there))


def test_the_deprecated_copy_file_still_copies(stack: Stack, sshd: Sshd, tmp_path: Path, there: Path) -> None:
    source = tmp_path / "source"
    source.write_text("one")

    def program(place: str) -> None:
        connection = sshd.connection()
        remote.CopyFile("it", connection=connection, local_path=str(source), remote_path=str(there / place))

    stack.up(lambda: program("file"))
    assert (there / "file").read_text() == "one"
    source.write_text("two")
    assert stack.preview(lambda: program("file")) == {}, "it does not look into the file"
    assert ("create-replacement", "it") in stack.up(lambda: program("other")).operations
    assert (there / "other").read_text() == "two"
