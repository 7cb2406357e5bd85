from __future__ import annotations

import contextlib
import json
import socket
import stat
import threading
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawdet_infra.agent import preflight
from tests.unit.agent.server import PASSWORD, SECRETS, TOKEN, Server


def test_a_first_deployment_pulls_starts_and_reports(server: Server) -> None:
    ran = server.run(server.payload())
    assert ran.code == 0, ran.errors
    assert ran.errors == ""
    assert server.running("pro-1") == {"gateway": "gateway:1", "proxy": "proxy:1"}
    report = ran.report
    assert report["release"] == 1
    assert report["images"] == {"gateway": "gateway:1", "proxy": "proxy:1"}
    assert len(report["digest"]) == 64


def test_secrets_are_in_the_env_file_alone_and_only_root_reads_it(server: Server) -> None:
    server.run(server.payload())
    home = server.root / "pro-1"
    holding = [
        file
        for file in server.root.rglob("*")
        if file.is_file() and not file.is_symlink() and any(secret in file.read_text() for secret in (TOKEN, PASSWORD))
    ]
    assert [file.name for file in holding] == [".env"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    for folder in (home, home / "releases", home / "releases/000001"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, f"{folder} can be entered by others"
    assert stat.S_IMODE((home / "current/compose.yaml").stat().st_mode) == 0o600


def test_no_secret_is_ever_an_argument(server: Server) -> None:
    server.run(server.payload())
    server.run(server.payload(gateway="gateway:2"))
    server.run(server.payload(gateway="gateway:dying"))
    said = json.dumps(server.calls)
    assert not [secret for secret in SECRETS if secret in said or json.dumps(secret)[1:-1] in said]


def test_deploying_the_same_again_touches_no_container(server: Server) -> None:
    server.run(server.payload())
    before = server.ids("pro-1")
    ran = server.run(server.payload())
    assert ran.code == 0
    assert ran.report["release"] == 1
    assert server.ids("pro-1") == before


def test_a_rotated_token_makes_those_anew_that_hold_it(server: Server) -> None:
    server.run(server.payload())
    before = server.ids("pro-1")
    assert server.run(server.payload(token="d5" * 32)).code == 0
    after = server.ids("pro-1")
    assert after["gateway"] != before["gateway"]
    assert after["proxy"] != before["proxy"], "it hands browsers over with the token"


def test_a_container_that_was_stopped_is_started_again(server: Server) -> None:
    server.run(server.payload())
    world = server.world
    for container in world["containers"].values():
        container["running"] = False
    server.change(containers=world["containers"])
    assert server.run(server.payload()).code == 0
    assert set(server.running("pro-1")) == {"gateway", "proxy"}


@pytest.mark.parametrize(
    ("image", "probe", "answer"),
    [
        ("gateway:dying", "restarts", "the machine says no"),
        ("gateway:unready", "startupz", "startup-sidecars"),
        ("gateway:nested", "readyz", "HTTP 200 [["),
    ],
)
def test_an_image_that_does_not_start_never_takes_the_running_one_down(
    server: Server, image: str, probe: str, answer: str
) -> None:
    server.run(server.payload())
    before = server.ids("pro-1")
    ran = server.run(server.payload(gateway=image))
    assert ran.code == 1
    assert ran.errors.count("\n") == 1, "an error is one sentence in one line"
    assert ran.errors.startswith(f"[clawdet:not-ready] customer pro-1: probe {probe} failed: ")
    assert answer in ran.errors
    assert "the running release was not touched" in ran.errors
    assert server.ids("pro-1") == before
    assert server.running("pro-1")["gateway"] == "gateway:1"
    assert not server.ids("pro-1_preflight"), "the trial is cleared away"
    assert not any("preflight" in name for name in {**server.world["volumes"], **server.world["networks"]})


def test_what_a_dying_container_says_is_shown_without_its_secrets(server: Server) -> None:
    ran = server.run(server.payload(gateway="gateway:dying"))
    assert ran.code == 1
    assert "the machine says no, token=[secret]" in ran.errors
    assert not [secret for secret in SECRETS if secret in ran.errors + ran.output]


def test_a_first_release_that_does_not_get_ready_fails_with_probe_and_last_answer(server: Server) -> None:
    ran = server.run(server.payload(gateway="gateway:unready"))
    assert ran.code == 1
    assert ran.errors.startswith("[clawdet:not-ready] customer pro-1: probe startupz failed: not ready within 2 s; ")
    assert "startup-sidecars" in ran.errors
    healed = server.run(server.payload())
    assert healed.code == 0, healed.errors
    assert server.running("pro-1")["gateway"] == "gateway:1"


def test_an_answer_that_comes_byte_by_byte_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_ANSWER_SECONDS", 0.5)
    with dripping() as port:
        monkeypatch.setattr(preflight, "_PORT", port)
        begun = time.monotonic()
        failure = preflight._gateway("127.0.0.1", "token")
    assert failure is not None
    assert (failure.probe, time.monotonic() - begun < 5) == ("startupz", True)


@contextlib.contextmanager
def dripping() -> Iterator[int]:
    """A port where each connection gets a byte of an answer now and then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                        for _ in range(200):
                            connection.sendall(b"x")
                            time.sleep(0.1)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("image", ["gateway:channel", "gateway:old"])
def test_a_channel_that_does_not_reach_its_service_fails_no_release(server: Server, image: str) -> None:
    assert server.run(server.payload()).code == 0
    ran = server.run(server.payload(gateway=image))
    assert ran.code == 0, ran.errors
    assert server.running("pro-1")["gateway"] == image


def test_a_release_that_fails_after_its_trial_is_put_back_with_the_data_it_needs(server: Server) -> None:
    # gateway:picky refuses data of another version, so it passes with the trial's empty volume and fails with the
    # customer's; gateway:1 takes its data back as it was.
    server.run(server.payload())
    data = Path(server.world["volumes"]["pro-1_state"]["folder"])
    (data / "conversation").write_text("precious")
    ran = server.run(server.payload(gateway="gateway:picky"))
    assert ran.code == 1
    assert "probe readyz failed" in ran.errors
    assert "agent-database:main" in ran.errors
    assert ran.errors.rstrip().endswith("release 1 is back and serving")
    assert server.running("pro-1")["gateway"] == "gateway:1"
    assert (data / "conversation").read_text() == "precious"
    assert not (server.root / "pro-1/state-before-upgrade").exists()


def test_an_old_release_that_refuses_newer_data_gets_its_own_back_and_nothing_is_lost(server: Server) -> None:
    server.run(server.payload(gateway="gateway:picky"))
    data = Path(server.world["volumes"]["pro-1_state"]["folder"])
    assert (data / "written-by").read_text() == "gateway:picky"
    # The trial has an empty volume and passes; then the new release writes to the data and does not get ready.
    server.change(unready=["gateway:2"])
    ran = server.run(server.payload(gateway="gateway:2"))
    assert ran.code == 1
    assert ran.errors.rstrip().endswith("release 1 is back and serving, with the data of before the upgrade")
    assert server.running("pro-1")["gateway"] == "gateway:picky"
    assert (data / "written-by").read_text() == "gateway:picky"
    assert (server.root / "pro-1/state-set-aside/written-by").read_text() == "gateway:2"


def test_going_back_to_the_good_release_heals(server: Server) -> None:
    server.run(server.payload())
    server.run(server.payload(gateway="gateway:unready"))
    ran = server.run(server.payload())
    assert ran.code == 0
    assert ran.report["release"] == 1
    assert server.running("pro-1")["gateway"] == "gateway:1"


def test_a_good_new_release_is_taken_over_and_tried_once_only(server: Server) -> None:
    server.run(server.payload())
    ran = server.run(server.payload(gateway="gateway:2"))
    assert ran.code == 0, ran.errors
    assert server.running("pro-1") == {"gateway": "gateway:2", "proxy": "proxy:1"}
    trials = [call for call in server.calls if "pro-1_preflight" in call and "up" in call]
    assert len(trials) == 1
    assert server.run(server.payload()).code == 0
    assert server.run(server.payload(gateway="gateway:2")).code == 0
    again = [call for call in server.calls if "pro-1_preflight" in call and "up" in call]
    assert len(again) == 2, "going back is a change too, and tried; what has passed before is not"


def test_an_image_that_cannot_be_pulled_changes_nothing(server: Server) -> None:
    server.run(server.payload())
    before = server.world["containers"]
    ran = server.run(server.payload(gateway="gateway:gone"))
    assert ran.code == 1
    assert "customer pro-1: pulling the image gateway:gone failed: manifest for gateway:gone not found" in ran.errors
    assert server.world["containers"] == before


def test_old_releases_and_images_are_cleared_away(server: Server) -> None:
    for number in range(6):
        assert server.run(server.payload(token=f"{number:02x}" * 32)).code == 0
    home = server.root / "pro-1"
    assert sorted(folder.name for folder in (home / "releases").iterdir()) == ["000004", "000005", "000006"]
    assert (home / "current").resolve() == (home / "good").resolve() == home / "releases/000006"
    server.run(server.payload(gateway="gateway:2"))
    for number in range(3):
        server.run(server.payload(gateway="gateway:2", token=f"{number:02x}" * 32))
    assert "gateway:1" not in server.world["images"], "a disk must not fill with images of old releases"
    used = {path.parent.name for path in home.glob("config/*/*")}
    # What no container mounts is copied for the proxy.
    named = (home / "current/compose.yaml").read_text() + (home / "current/release.json").read_text()
    assert all(name in named for name in used)


def test_a_disk_without_room_for_a_copy_of_the_data_stops_an_upgrade_and_keeps_serving(server: Server) -> None:
    server.run(server.payload())
    program = "import shutil,collections\nshutil.disk_usage=lambda path: collections.namedtuple('U','free')(1<<20)\n"
    with zipfile.ZipFile(server.agent, "a") as agent, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # The later one of two members of a name counts.
        agent.writestr("__main__.py", program + agent.read("__main__.py").decode())
    ran = server.run(server.payload(gateway="gateway:2"))
    assert ran.code == 1
    assert "no room for a copy of the customer's data before the upgrade" in ran.errors
    assert "release 1 is back and serving" in ran.errors
    assert server.running("pro-1")["gateway"] == "gateway:1"


def test_composes_env_file_is_not_overruled_by_what_the_session_has(server: Server) -> None:
    # The stand-in server's session has AUTH_PASSWORD; Compose would prefer it to the env file.
    assert server.run(server.payload()).code == 0
    settings = server.world["containers"][server.ids("pro-1")["proxy"]]["settings"]
    assert "AUTH_PASSWORD=" in settings
    assert "left over" not in settings


def test_removing_takes_containers_networks_data_and_folder_and_nothing_else(server: Server) -> None:
    server.run(server.payload())
    assert server.run(server.payload("enterprise", gateway="gateway:2")).code == 0
    ran = server.remove(server.payload())
    assert ran.code == 0, ran.errors
    assert ran.report["removed"] == "customer pro-1"
    world = server.world
    assert not server.ids("pro-1")
    assert {name.split("_")[0] for name in world["volumes"]} == {"big-one"}
    assert {name.split("_")[0] for name in world["networks"]} == {"big-one"}
    assert not (server.root / "pro-1").exists()
    assert (server.root / "big-one").exists()
    assert server.remove(server.payload()).code == 0, "removing what is gone is fine"
