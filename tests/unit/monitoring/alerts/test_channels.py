from __future__ import annotations

import os
from pathlib import Path

import pytest

from clawdet_infra.monitoring.alerts.channels import ChannelsError, load_channels

CANARY = "c4naryT0ken"


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "alerts.yaml"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_file_names_channels_and_the_heartbeat(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        f"channels:\n  - name: ops\n    url: 'slack://{CANARY}'\n  - 'mailto://a@b.c'\nheartbeat: 'https://hc-ping.com/{CANARY}'\n",
    )
    found = load_channels({}, file)
    assert [one.name for one in found.channels] == ["ops", "channel 2"]
    assert found.channels[0].url.get_secret_value() == f"slack://{CANARY}"
    assert found.heartbeat is not None
    assert found.heartbeat.get_secret_value() == f"https://hc-ping.com/{CANARY}"
    assert CANARY not in repr(found)


def test_the_environment_adds_to_the_file_and_names_another_one(tmp_path: Path) -> None:
    file = write(tmp_path, "channels: ['json://a']\n")
    environment = {
        "CLAWDET_ALERTS": str(file),
        "CLAWDET_ALERT_URLS": "json://b\n json://c ",
        "CLAWDET_HEARTBEAT_URL": "https://d/e",
    }
    found = load_channels(environment, tmp_path / "unused.yaml")
    assert [one.name for one in found.channels] == ["channel 1", "environment 1", "environment 2"]
    assert found.heartbeat is not None


def test_the_heartbeat_works_by_its_old_key_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write(tmp_path, f"deadMan: 'https://hc-ping.com/{CANARY}'\n")
    found = load_channels({}, file)
    assert found.heartbeat is not None
    assert found.heartbeat.get_secret_value().endswith(CANARY)
    assert f"{file}: deadMan is now heartbeat" in caplog.text
    assert CANARY not in caplog.text
    both = write(tmp_path, f"deadMan: 'https://hc-ping.com/{CANARY}'\nheartbeat: 'https://hc-ping.com/{CANARY}'\n")
    with pytest.raises(ChannelsError, match="deadMan is the old name of heartbeat, which is set too; remove deadMan"):
        load_channels({}, both)


def test_the_heartbeat_works_by_its_old_variable(tmp_path: Path) -> None:
    found = load_channels({"CLAWDET_DEAD_MAN_URL": "https://d/e"}, tmp_path / "none.yaml")
    assert found.heartbeat is not None
    different = {"CLAWDET_DEAD_MAN_URL": "https://d/e", "CLAWDET_HEARTBEAT_URL": f"https://d/{CANARY}"}
    with pytest.raises(ChannelsError, match="set to different values: unset CLAWDET_DEAD_MAN_URL") as caught:
        load_channels(different, tmp_path / "none.yaml")
    assert CANARY not in str(caught.value)


def test_no_file_is_no_channel_unless_it_was_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    assert load_channels({}, missing).channels == ()
    with pytest.raises(ChannelsError, match=r"missing\.yaml cannot be read: No such file"):
        load_channels({"CLAWDET_ALERTS": str(missing)}, tmp_path / "other.yaml")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o644])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    file = write(tmp_path, f"channels: ['json://{CANARY}']\n", mode)
    with pytest.raises(ChannelsError, match=f"run: chmod 600 {file}") as caught:
        load_channels({}, file)
    assert CANARY not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "channels: []\n")
    os.chown(file, 65534, 65534)
    with pytest.raises(ChannelsError, match="belongs to another user"):
        load_channels({}, file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"channels: ['json://{CANARY}'\n", "line 2: this is not YAML"),
        (f"channels:\n  - json://{CANARY}: x: y\n", "line 2: this is not YAML"),
        (f"channels: ['json://{CANARY}']\nheartbeat: 2026-02-30\n", "this is not YAML"),
        (f"channel: ['json://{CANARY}']", "channels, heartbeat"),
        (f"- json://{CANARY}", "channels, heartbeat"),
        (f"channels: json://{CANARY}", "has to be a list"),
        (f"channels: ['{CANARY}']", "channel 1 is not a URL"),
        (f"channels: [{{uri: 'json://{CANARY}'}}]", "channel 1 has to be a URL"),
        (f"channels: [{{name: 'json://{CANARY}', url: 'json://{CANARY}'}}]", "channel 1: its name"),
        (f"channels: [{{url: 7, name: {CANARY}}}]", "channel 1 is not a URL"),
        (f"channels: [{{name: a, url: 'json://{CANARY}'}}, {{name: a, url: 'json://b'}}]", "called `a`"),
        (f"heartbeat: 'ftp://{CANARY}'", "heartbeat is not a URL"),
        (f"heartbeat: 'https://[{CANARY}'", "heartbeat is not a URL"),
    ],
)
def test_what_is_wrong_is_said_without_showing_it(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ChannelsError, match=message) as caught:
        load_channels({}, write(tmp_path, text))
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "a traceback would show it"


@pytest.mark.parametrize("urls", [CANARY, f"json://a {CANARY}"])
def test_a_wrong_url_of_the_environment_is_not_shown(tmp_path: Path, urls: str) -> None:
    with pytest.raises(ChannelsError, match=r"CLAWDET_ALERT_URLS, URL \d is not a URL") as caught:
        load_channels({"CLAWDET_ALERT_URLS": urls}, tmp_path / "none.yaml")
    assert CANARY not in str(caught.value)
