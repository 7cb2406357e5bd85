"""The outer Docker and the disks' file system, made anew in a corner of this machine of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.host import CommandError, Locations, open_disks
from localcloud.host.command import run
from localcloud.host.disks import BtrfsDisks, PlainDisks, close_disks

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("machines")]


@pytest.fixture
def locations() -> Iterator[Locations]:
    """Folders with short names: sockets are in them, and the kernel takes no long path for one."""
    root = Path(tempfile.mkdtemp(prefix="cd-", dir="/tmp"))
    yield Locations(root / "state", root / "run")
    close_disks(Locations(root / "state", root / "run"))
    shutil.rmtree(root)


def in_own_network(program: str, locations: Locations) -> str:
    """Run a Python program where it sees no interface and no packet filter of this machine, nor changes any.

    Docker's firewall rules and bridge are global to a network; a second Docker must not touch the first one's.
    """
    prelude = f"""
        import sys
        from pathlib import Path
        from localcloud.host import Locations, ensure_docker, stop_docker_if_unused
        from localcloud.host import docker
        from localcloud.host.command import run
        docker.DEFAULT_SOCKET = Path("/nowhere/docker.sock")
        locations = Locations(Path({str(locations.state)!r}), Path({str(locations.runtime)!r}))
    """
    text = textwrap.dedent(prelude) + textwrap.dedent(program)
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--propagation=private", sys.executable, "-W", "error", "-c", text],
        capture_output=True,
        text=True,
        timeout=120,
        env={name: value for name, value in os.environ.items() if name != "DOCKER_HOST"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_docker_is_started_once_outlives_its_starter_and_stops_when_unused(locations: Locations) -> None:
    program = """
        import os, signal, subprocess
        ask = "from localcloud.host import *; from localcloud.host import docker; from pathlib import Path;" \\
              "import sys; docker.DEFAULT_SOCKET = Path('/nowhere/docker.sock');" \\
              "print(ensure_docker(Locations(Path(sys.argv[1]), Path(sys.argv[2])), {}).host)"
        starter = [sys.executable, "-c", ask, str(locations.state), str(locations.runtime)]
        first = subprocess.run(starter, capture_output=True, text=True, check=True).stdout.strip()
        pid = int(locations.pid_file.read_text())
        assert os.getsid(pid) == pid, "it has a session of its own"
        host = ensure_docker(locations, {})
        assert (host.host, host.started_by_us) == (first, True)
        assert int(locations.pid_file.read_text()) == pid, "it was not started twice"

        docker = ["docker", "--host", host.host]
        empty = locations.state / "empty.tar"
        run(["tar", "--create", "--file", str(empty), "--files-from", "/dev/null"])
        run([*docker, "import", str(empty), "empty:1"])
        run([*docker, "create", "--name", "somebody", "empty:1", "/nothing"])
        assert stop_docker_if_unused(locations) is False, "a container is left, though it does not run"

        os.kill(pid, signal.SIGKILL)
        assert ensure_docker(locations, {}).host == first, "it comes back after a crash"
        assert run([*docker, "ps", "--all", "--format", "{{.Names}}"]).strip() == "somebody"

        run([*docker, "rm", "somebody"])
        run([*docker, "network", "create", "--driver=bridge", "somebodys"])
        assert stop_docker_if_unused(locations) is False, "a cloud without servers has a network"
        run([*docker, "network", "rm", "somebodys"])
        assert stop_docker_if_unused(locations) is True
        assert not locations.pid_file.exists()
        assert stop_docker_if_unused(locations) is True
        print("done")
    """
    assert in_own_network(program, locations) == "done"


def test_a_docker_that_cannot_start_is_explained(locations: Locations) -> None:
    program = """
        locations.data_root.parent.mkdir(parents=True)
        locations.data_root.mkdir()
        (locations.data_root / "overlay2").write_text("not a folder")
        try:
            ensure_docker(locations, {})
        except docker.HostError as error:
            print(error)
    """
    message = in_own_network(program, locations)
    assert "dockerd ended with status 1" in message
    assert str(locations.log) in message


def test_disks_are_snapshots_that_outlive_an_unmount(locations: Locations) -> None:
    disks = open_disks(locations)
    assert isinstance(disks, BtrfsDisks), "this machine has btrfs"
    (disks.create("cloud", "golden") / "image").write_bytes(os.urandom(1024) * 4096)
    disks.freeze("cloud", "golden", "aaaa")
    golden = disks.golden("aaaa")
    assert golden is not None
    copy = disks.create("cloud", "1", golden)
    (copy / "image").unlink()
    assert (golden / "image").exists()

    close_disks(locations)
    assert not golden.exists()
    again = open_disks(locations)

    assert again.goldens() == ["aaaa"]
    assert list(copy.iterdir()) == []
    again.delete_cloud("cloud")
    assert not copy.exists()
    assert open_disks(locations).kind == "btrfs", "opening twice is fine"


def test_space_of_deleted_files_comes_back_to_the_machine(locations: Locations) -> None:
    disks = open_disks(locations)
    big = disks.create("cloud", "1") / "big"
    big.write_bytes(os.urandom(1024 * 1024) * 64)
    run(["sync", "--file-system", str(disks.root)])
    full = locations.disks_file.stat().st_blocks
    big.unlink()

    def freed() -> bool:
        run(["sync", "--file-system", str(disks.root)])
        run(["fstrim", str(disks.root)])
        return locations.disks_file.stat().st_blocks < full - 32 * 1024 * 1024 // 512

    deadline = time.monotonic() + 60
    while not freed():
        assert time.monotonic() < deadline, "the file that holds the disks has not become smaller"
        time.sleep(0.2)


@pytest.mark.parametrize("lacks", ["programs", "the kernel's part"])
def test_without_btrfs_disks_are_folders(
    locations: Locations, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacks: str
) -> None:
    for program in ("stat", "cp", *(() if lacks == "programs" else ("btrfs", "mkfs.btrfs"))):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    (tmp_path / "mount").write_text("#!/bin/sh\necho unknown filesystem type >&2; exit 32\n")
    (tmp_path / "mount").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    disks = open_disks(locations)
    assert isinstance(disks, PlainDisks)
    assert not locations.disks_file.exists()
    disks.create("cloud", "1")
    monkeypatch.undo()
    assert open_disks(locations).kind == "plain", "btrfs that comes later does not hide disks that exist"


def test_disks_that_cannot_be_mounted_are_not_replaced_by_empty_ones(
    locations: Locations, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    open_disks(locations).create("cloud", "1")
    close_disks(locations)
    (tmp_path / "stat").symlink_to(str(shutil.which("stat")))
    (tmp_path / "mount").write_text("#!/bin/sh\necho no loop device >&2; exit 32\n")
    (tmp_path / "mount").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="no loop device"):
        open_disks(locations)
    monkeypatch.undo()
    assert open_disks(locations).path("cloud", "1").is_dir()
