"""Faults of every kind on a real server: seen, named, healed where the ladder can, told once, and over once."""

from __future__ import annotations

import base64
import gzip
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon_under_test import OPERATIONS, Receivers, Watch
from tests.support.live import LiveFleet
from tests.support.server import Server
from tests.support.stack import wait_until

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]

VICTIM, NEIGHBOUR = "user123", "alice"


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    made = Receivers()
    yield made
    made.close()


beyond_repair = pytest.mark.parametrize("watch", [{"recoveryTimeout": "10s"}], indirect=True, ids=["beyond repair"])
"""For faults that no repair can end, so that a repair need not get long to take effect."""


@pytest.fixture
def watch(fleet: LiveFleet, tmp_path: Path, receivers: Receivers, request: pytest.FixtureRequest) -> Iterator[Watch]:
    """A daemon that has seen every customer healthy."""
    remediation = {**OPERATIONS["remediation"], **getattr(request, "param", {})}
    one = Watch(fleet.stack, tmp_path, receivers, remediation=remediation).start()
    one.until_healthy(VICTIM, rounds=1)
    one.until_healthy(NEIGHBOUR, rounds=1)
    yield one
    assert one.stop() == 0, one.log.read_text()
    expect_no_secret(fleet, one)


def expect_no_secret(fleet: LiveFleet, watch: Watch) -> None:
    """No secret of the fleet is in what a daemon has written and sent."""
    outputs = fleet.stack.outputs()
    secrets = {f"{name} of {one}": value for one, of in outputs["tokens"].items() for name, value in of.items()}
    secrets["login key"] = outputs["login_key"].splitlines()[1]
    assert f"gateway_token of {VICTIM}" in secrets
    written = {file.name: file.read_bytes() for file in watch.folder.glob("*") if file.is_file()}
    assert {"daemon.log", "history.db"} <= written.keys()
    sent = {"posts": watch.receivers.posted, "mail": watch.receivers.mailed}
    written |= {name: "\n".join(texts).encode() for name, texts in sent.items()}
    for name, content in written.items():
        for what, secret in secrets.items():
            assert secret.encode() not in content, f"the {what} is in {name}"


@pytest.fixture
def server(fleet: LiveFleet) -> Iterator[Server]:
    """The victim's server; what repairs itself on the server waits, so that it is the checker that heals."""
    one = fleet.server(VICTIM)
    one.run("systemctl disable --now --quiet clawdet-guard.timer")
    yield one
    one.run("systemctl enable --now --quiet clawdet-guard.timer")


@contextmanager
def neighbours_left_alone(fleet: LiveFleet) -> Iterator[None]:
    """Nothing of the other customers, or of their server, is restarted meanwhile."""
    shared = fleet.server("shared-1")
    before = shared.start_times()
    yield
    assert shared.start_times() == before, "what is healthy is never restarted"


def check(watch: Watch, cause: str, break_it: Callable[[], Any], *, mend: Callable[[], Any] | None = None) -> list[str]:
    """Break something and see it through to its end; returns the steps that were taken."""
    before = len(watch.rounds())
    break_it()
    # The round that is under way may have looked at it already.
    first = watch.until(
        lambda seen: seen[:3] if any(VICTIM in one["down"] for one in seen[:3]) else None,
        seconds=120,
        what="it is seen",
        after=before,
    )
    number = next(index for index, one in enumerate(first) if VICTIM in one["down"])
    assert number <= 2, "seen within two rounds of the one that was under way"
    watch.until(
        lambda seen: any(one["down"].get(VICTIM) == cause for one in seen[: number + 2]),
        seconds=120,
        what=f"it is called {cause}",
        after=before,
    )
    if mend is not None:
        watch.until(
            lambda seen: any(one["decisions"].get(VICTIM, {}).get("action") == "escalate" for one in seen),
            seconds=240,
            what="the ladder gives up",
            after=before,
        )
        wait_until(lambda: len(watch.receivers.posted) == 1, seconds=60, what="it is told before it is over")
        mend()
    watch.until_healthy(VICTIM, after=before + number + 1)
    wait_until(
        lambda: len(watch.receivers.posted) == 2 and len(watch.receivers.mailed) == 2,
        seconds=60,
        what="both notices arrived",
    )
    known = len(watch.rounds())
    watch.until(lambda seen: len(seen) >= 2, seconds=60, what="two more rounds, without another notice", after=known)
    for taken in (watch.receivers.posted, watch.receivers.mailed):
        raised, resolved = taken
        assert {VICTIM, "Seen:", "Next:"} <= set(raised.split()), raised
        assert {VICTIM, "Resolved:"} <= set(resolved.split()), resolved
    assert all(NEIGHBOUR not in one["down"] for one in watch.rounds())
    # A customer may be healthy before the step that healed it has ended.
    wait_until(lambda: not open_repairs(watch), seconds=120, what="the repair has ended")
    return [one["data"]["step"] for one in watch.events(VICTIM, "repair") if one["data"].get("outcome") == "healed"]


def small_disk(folder: Path) -> str:
    """An ext4 file system of 256 MiB, as text; the servers of the local cloud have the disk of this machine."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(256 * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    return base64.b64encode(gzip.compress(image.read_bytes(), 1)).decode()


def test_a_gateway_that_was_stopped_is_restarted(fleet: LiveFleet, watch: Watch, server: Server) -> None:
    with neighbours_left_alone(fleet):
        steps = check(watch, "gateway-stopped", lambda: server.run(f"docker stop --time 0 {VICTIM}-gateway-1"))
    assert steps == ["restart"]


def test_a_gateway_that_hangs_is_restarted(fleet: LiveFleet, watch: Watch, server: Server) -> None:
    # All of the container's processes, since the first one only hands signals on.  A health check may end meanwhile.
    processes = f"docker top {VICTIM}-gateway-1 -eo pid | tail -n +2"
    with neighbours_left_alone(fleet):
        steps = check(watch, "gateway-hangs", lambda: server.run(f"kill -STOP $({processes}) || true"))
    assert steps == ["restart"]


def test_a_docker_that_was_switched_off_is_started(fleet: LiveFleet, watch: Watch, server: Server) -> None:
    with neighbours_left_alone(fleet):
        steps = check(watch, "proxy-stopped", lambda: server.run("systemctl stop docker.socket docker.service"))
    assert steps == ["restart"]


def test_what_is_on_hold_is_left_alone_until_the_hold_is_over(fleet: LiveFleet, watch: Watch, server: Server) -> None:
    hold = f"/srv/clawdet/{VICTIM}/hold"
    known = len(watch.rounds())
    server.run(f"touch {hold} && docker stop --time 0 {VICTIM}-gateway-1")
    decided = watch.until(
        lambda seen: [one["decisions"][VICTIM] for one in seen if VICTIM in one["decisions"]][3:] or None,
        seconds=120,
        what="it was seen down four times",
        after=known,
    )
    assert decided[0] == {"action": "wait", "reason": "it is on hold on its server"}
    assert watch.events(VICTIM, "repair") == []
    server.run(f"rm {hold}")
    watch.until_healthy(VICTIM, after=known)
    wait_until(lambda: not open_repairs(watch), seconds=120, what="the repair has ended")


def test_a_server_that_was_powered_off_is_powered_on(fleet: LiveFleet, watch: Watch, server: Server) -> None:
    client = hetzner(fleet)
    with neighbours_left_alone(fleet):
        steps = check(watch, "server-off", lambda: client.servers.get_by_name(VICTIM).power_off().wait_until_finished())
    assert steps == ["power-on"]


def test_a_server_that_lost_its_network_is_rebooted(fleet: LiveFleet, watch: Watch, server: Server) -> None:
    # In the background and a moment later, so that SSH can end before its own way is gone.
    device = "$(ip -o route get 10.0.0.1 | sed 's/.* dev \\([^ ]*\\).*/\\1/')"
    down = f"systemd-run --on-active=1 --timer-property=AccuracySec=100ms ip link set dev {device} down"
    with neighbours_left_alone(fleet):
        steps = check(watch, "network", lambda: server.run(down))
    assert steps == ["reboot"]


@beyond_repair
def test_a_broken_certificate_is_told_once_and_over_when_it_is_replaced(
    fleet: LiveFleet, watch: Watch, server: Server
) -> None:
    where = f"/var/lib/docker/volumes/{VICTIM}_certificates/_data/caddy/certificates"
    name = f"{VICTIM}.clawdet.test"
    make = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 60"
        f" -subj /CN={name} -addext subjectAltName=DNS:{name} -keyout $d/{name}.key -out $d/{name}.crt"
    )
    spoil = f"d=$(dirname $(find {where} -name {name}.crt)) && {make} 2>/dev/null && docker restart {VICTIM}-proxy-1"
    with neighbours_left_alone(fleet):
        steps = check(
            watch,
            "certificate",
            lambda: server.run(spoil),
            mend=lambda: server.run(f"rm -r {where} && docker restart {VICTIM}-proxy-1"),
        )
    assert steps == [], "a restart of the proxy does not help against a certificate that looks good to it"


@pytest.fixture
def small_volume(watch: Watch, server: Server, tmp_path: Path) -> Iterator[str]:
    """The folder of the victim's data, on a disk of its own for as long as the test runs."""
    volume = f"/var/lib/docker/volumes/{VICTIM}_state/_data"
    mount = f"""
        set -e
        docker stop --time 5 {VICTIM}-gateway-1
        base64 -d | gunzip > /root/disk.img
        [ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
        for number in 1 2 3 4 5 6 7; do [ -e /dev/loop$number ] || mknod /dev/loop$number b 7 $number; done
        mkdir -p /mnt/disk && mount -o loop /root/disk.img /mnt/disk
        cp -a {volume}/. /mnt/disk/ && umount /mnt/disk && mount -o loop /root/disk.img {volume}
        docker start {VICTIM}-gateway-1
    """
    unmount = f"""
        set -e
        docker stop --time 5 {VICTIM}-gateway-1
        umount {volume} && rm /root/disk.img
        docker start {VICTIM}-gateway-1
    """
    with maintenance(watch):
        server.run(mount, small_disk(tmp_path))
    yield volume
    with maintenance(watch):
        server.run(unmount)


@contextmanager
def maintenance(watch: Watch) -> Iterator[None]:
    """A window in which nobody is told of the victim, and nothing is done about it; it ends when the victim is well."""
    window = watch.ask("alert", "mute", VICTIM, "--for", "15m", "--reason", "another disk")
    known = len(watch.rounds())
    yield
    watch.until_healthy(VICTIM, after=known)
    watch.ask("alert", "unmute", str(window["id"]))


@beyond_repair
def test_a_full_disk_is_told_once_and_over_when_there_is_room(
    fleet: LiveFleet, watch: Watch, server: Server, small_volume: str
) -> None:
    fill = f"dd if=/dev/zero of={small_volume}/filler bs=1M; dd if=/dev/zero of={small_volume}/filler2 bs=4k; true"
    with neighbours_left_alone(fleet):
        steps = check(
            watch,
            "disk-full",
            lambda: server.run(fill),
            mend=lambda: server.run(f"rm {small_volume}/filler {small_volume}/filler2"),
        )
    assert steps == [], "no restart makes room"


def test_a_checker_that_is_killed_in_the_middle_of_a_repair_is_followed_by_one_that_ends_it(
    fleet: LiveFleet, watch: Watch, server: Server
) -> None:
    server.run(f"docker stop --time 0 {VICTIM}-gateway-1")
    watch.until(
        lambda seen: any(one["decisions"].get(VICTIM, {}).get("action") == "restart" for one in seen),
        seconds=60,
        what="a repair begins",
    )
    wait_until(lambda: len(watch.events(VICTIM, "repair")) > 0, seconds=60, what="the repair is in the history")
    known = len(watch.rounds())
    watch.stop(signal.SIGKILL)

    watch.start()
    watch.until_healthy(VICTIM, after=known)
    ended = [one["data"].get("outcome") for one in watch.events(VICTIM, "repair")]
    assert sum(one in ("healed", "abandoned") for one in ended) >= 1, ended
    assert not open_repairs(watch), "nothing is left open"
    states = [one["message"] for one in watch.events(VICTIM, "state")]
    assert len(states) >= 2, f"what was seen before the kill is still known: {states}"


def test_a_second_checker_stands_by(fleet: LiveFleet, watch: Watch, tmp_path: Path) -> None:
    second = watch.stack.run("env", f"CLAWDET_HISTORY={watch.env['CLAWDET_HISTORY']}", "clawdet", "daemon", "--once")
    assert second.code == 1
    assert str(watch.process.pid if watch.process else 0) in second.output, second.output


def open_repairs(watch: Watch) -> list[Any]:
    from clawdet_infra.monitoring.history import History

    return History.open(watch.env["CLAWDET_HISTORY"]).open_repairs()


def hetzner(fleet: LiveFleet) -> Any:
    from hcloud import Client

    return Client(token=fleet.cloud["token"], api_endpoint=fleet.cloud["endpoint"])
