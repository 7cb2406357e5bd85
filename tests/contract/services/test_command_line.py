"""up, down, destroy, status and info, as a user and the program see them; without machines, so it takes seconds."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from hcloud import APIException
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType

from localcloud.__main__ import main
from localcloud.daemon import WHILE_VARIABLE
from tests.contract.services.clouds import ROOT, Cloud, alive, wait_until_dead, without_docker


def make_server(cloud: Cloud, name: str) -> int:
    client = cloud.client()
    created = client.servers.create(name=name, server_type=ServerType(name="cx23"), image=Image(name="debian-13"))
    created.action.wait_until_finished()
    number: int = created.server.id
    return number


def test_servers_records_token_and_ports_are_the_same_after_down_and_up(api_cloud: Cloud) -> None:
    api_cloud.up()
    before = api_cloud.info
    number = make_server(api_cloud, "keeper")
    api_cloud.client().zones.create(name="keeper.test", mode="primary").action.wait_until_finished()

    api_cloud.run("down")
    api_cloud.up()

    assert api_cloud.info == before
    server = api_cloud.client().servers.get_by_id(number)
    assert (server.name, server.status) == ("keeper", "running")
    assert [zone.name for zone in api_cloud.client().zones.get_all()] == ["keeper.test"]


def test_up_of_a_running_cloud_finds_it_in_well_under_a_second_and_leaves_it(api_cloud: Cloud) -> None:
    api_cloud.up()
    pid = api_cloud.pid

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = api_cloud.up()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert api_cloud.pid == pid, "the daemon of a cloud that is as it should be is not touched"
    assert "is up" in said
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 1.0, "processor time, because the machine may be busy; it takes 0.2 s"


def test_up_after_the_daemon_was_killed_brings_everything_back(api_cloud: Cloud) -> None:
    api_cloud.up()
    number = make_server(api_cloud, "survivor")
    os.kill(api_cloud.pid, signal.SIGKILL)
    wait_until_dead(api_cloud.pid)
    assert api_cloud.attempt("status").returncode == 1

    api_cloud.up()

    assert api_cloud.client().servers.get_by_id(number).name == "survivor"
    assert api_cloud.attempt("status").returncode == 0


def test_a_pid_file_of_a_dead_daemon_with_the_number_of_a_living_process_fools_nobody(api_cloud: Cloud) -> None:
    api_cloud.up()
    api_cloud.run("down")
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        (api_cloud.home / "daemon.pid").write_text(f"{bystander.pid}\n")

        api_cloud.up()
        api_cloud.run("down")

        assert alive(bystander.pid), "a process that only got the number of an old daemon was ended"
    finally:
        bystander.kill()
        bystander.wait()


def test_two_ups_at_once_end_in_one_daemon(api_cloud: Cloud) -> None:
    both = [
        subprocess.Popen(api_cloud.argv("up", "--api-only"), cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert any("is up" in text for text in said), "the second one found what the first had started"


def test_options_of_an_up_hold_until_the_next_one(api_cloud: Cloud) -> None:
    api_cloud.up("--error-rate", "GET /locations=1:service_error")
    first = api_cloud.pid
    query = urllib.request.Request(
        f"{api_cloud.info['endpoint']}/locations", headers={"Authorization": f"Bearer {api_cloud.info['token']}"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(query)
    refused.value.close()
    assert refused.value.code >= 500, "the injected error did not come"

    api_cloud.up()

    assert api_cloud.pid != first, "other options need another daemon"
    assert api_cloud.client().locations.get_all(), "what the new up does not mention is off"


def test_a_sold_out_type_cannot_be_had_where_it_is_sold_out(api_cloud: Cloud) -> None:
    api_cloud.up("--sold-out", "cx23@fsn1", "--sold-out", "cx33")
    client = api_cloud.client()

    def order(kind: str, place: str) -> str:
        try:
            client.servers.create(
                name=f"{kind}-{place}",
                server_type=ServerType(name=kind),
                image=Image(name="debian-13"),
                location=Location(name=place),
            )
        except APIException as error:
            return str(error.code)
        return "made"

    assert order("cx23", "fsn1") == "resource_unavailable"
    assert order("cx23", "nbg1") == "made"
    assert order("cx33", "nbg1") == "resource_unavailable"
    pid = api_cloud.pid
    api_cloud.up("--sold-out", "cx33", "--sold-out", "cx23@fsn1")
    assert api_cloud.pid == pid, "the same options in another order are the same"


def test_a_way_out_is_asked_for_at_the_first_start_or_never(api_cloud: Cloud) -> None:
    api_cloud.up()

    done = api_cloud.attempt("up", "--api-only", "--egress")

    assert done.returncode == 1
    assert "was made without a way out" in done.stderr


def test_an_api_only_cloud_uses_no_docker(api_cloud: Cloud) -> None:
    done = subprocess.run(api_cloud.argv("up", "--api-only"), cwd=ROOT, env=without_docker(), capture_output=True)

    assert done.returncode == 0, done.stderr
    info = api_cloud.info
    assert info["api_only"] is True
    assert [info[key] for key in ("registry", "registry_push", "registry_ca", "acme", "docker_host")] == [None] * 5


def test_a_cloud_without_machines_is_not_started_as_one_with_machines(api_cloud: Cloud) -> None:
    api_cloud.up()

    done = api_cloud.attempt("up")

    assert done.returncode == 1
    assert "was made without machines" in done.stderr
    assert "--name" in done.stderr, "the message says what to do"


def test_missing_programs_are_named_with_their_packages_before_anything_is_built(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "home", "bare")
    (tmp_path / "bin").mkdir()
    environment = {**os.environ, "PATH": str(tmp_path / "bin"), "CLAWDET_CACHE": str(tmp_path / "cache")}

    done = subprocess.run(cloud.argv("up"), cwd=ROOT, env=environment, capture_output=True, text=True)

    assert done.returncode == 1
    assert "apt-get install busybox-static docker.io docker-registry mmdebstrap util-linux" in done.stderr
    assert not (tmp_path / "cache" / "images" / "layers").exists()


def test_a_taken_port_is_named_and_leaves_nothing_running(api_cloud: Cloud) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = api_cloud.attempt("up", "--api-only", "--port", str(port))

    assert done.returncode == 1
    assert f"127.0.0.1 port {port}" in done.stderr
    assert "--port" in done.stderr, "the message says what to do"
    assert "Traceback" not in done.stderr
    assert json.loads(api_cloud.attempt("status", "--json").stdout)["parts"]["daemon"] is False


def status_of(cloud: Cloud, *arguments: str) -> int:
    """The exit status of `up` in this process, for command lines that end it before it does anything."""
    try:
        return main(cloud.argv("up", "--api-only", *arguments)[3:])
    except SystemExit as ended:
        return int(ended.code or 0)


def test_a_wrong_option_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "home", "own")
    for arguments in (("--error-rate", "nonsense"), ("--boot-delay", "-1"), ("--port", "70000"), ("--sold-out", "a b")):
        assert status_of(cloud, *arguments) == 2, arguments
        assert not cloud.home.exists()


def test_a_name_that_cannot_name_containers_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("", "UPPER", "a b", "../x", "a" * 30):
        assert status_of(Cloud(tmp_path / "home", name)) == 2
        assert "lower-case letters" in capsys.readouterr().err


def test_info_tells_values_and_keeps_the_token_to_itself_unless_asked(api_cloud: Cloud) -> None:
    assert api_cloud.attempt("info").returncode == 1, "there is nothing to tell about a cloud that never was"
    failed = api_cloud.attempt("info", "--json")
    assert json.loads(failed.stdout) == {
        "success": False,
        "code": "failed",
        "error": failed.stderr.removeprefix("error: ").strip(),
        "exitCode": 1,
    }
    api_cloud.up()
    info = api_cloud.info

    told = json.loads(api_cloud.run("info", "--json"))
    assert list(told.values()) == list(info.values())
    assert {"caDirectory", "apiOnly", "registryPush", "dockerHost"} < told.keys()
    assert api_cloud.run("info", "endpoint").strip() == info["endpoint"]
    assert api_cloud.run("info", "token").strip() == info["token"]
    assert info["token"] not in api_cloud.run("info")
    assert len(info["token"]) == 64
    assert api_cloud.attempt("info", "nonsense").returncode == 2
    for file in ("info.json", "settings.json", "state.db"):
        assert stat.S_IMODE((api_cloud.home / file).stat().st_mode) == 0o600, f"others may read {file}"


def test_the_token_is_in_no_process_list_and_no_log(api_cloud: Cloud) -> None:
    api_cloud.up()
    token = api_cloud.info["token"]

    assert token.encode() not in Path(f"/proc/{api_cloud.pid}/cmdline").read_bytes()
    assert token.encode() not in Path(f"/proc/{api_cloud.pid}/environ").read_bytes()
    assert token not in (api_cloud.home / "daemon.log").read_text()


def test_destroy_leaves_nothing_and_touches_nothing_else(api_cloud: Cloud, tmp_path: Path) -> None:
    api_cloud.up()
    pid = api_cloud.pid
    (tmp_path / "beside").write_text("mine")

    api_cloud.run("destroy")

    wait_until_dead(pid)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["beside"]
    assert "is gone" in api_cloud.run("destroy"), "destroying what is not there is no error"


def test_destroy_refuses_a_folder_that_is_not_a_cloud(tmp_path: Path) -> None:
    home = tmp_path / "precious"
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")

    done = Cloud(home, "own").attempt("destroy")

    assert done.returncode == 1
    assert "is not the home of a cloud" in done.stderr
    assert (home / "thesis.txt").exists()


def test_a_daemon_can_end_with_the_process_that_it_is_for(api_cloud: Cloud) -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        environment = {**os.environ, WHILE_VARIABLE: str(process.pid)}
        subprocess.run(api_cloud.argv("up", "--api-only"), env=environment, cwd=ROOT, check=True, capture_output=True)
        daemon = api_cloud.pid
        assert alive(daemon)

        process.kill()

    wait_until_dead(daemon)


def test_a_destroy_that_was_killed_is_completed_by_the_next_one(api_cloud: Cloud) -> None:
    api_cloud.up()
    api_cloud.run("down")
    for left in api_cloud.home.iterdir():
        # The settings go last.
        if left.name != "settings.json":
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    api_cloud.run("destroy")

    assert not api_cloud.home.exists()


def test_a_start_that_was_killed_before_it_had_settings_is_removed(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "home", "own", "--api-only")
    cloud.home.mkdir()
    (cloud.home / ".settings.json.draft").touch()

    cloud.run("destroy")

    assert not cloud.home.exists()
