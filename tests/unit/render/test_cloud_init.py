from __future__ import annotations

import base64
import gzip
import subprocess
from typing import Any

import yaml

from clawdet_infra import render

PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKlmn server"


def cloud_init(private: str = PRIVATE, public: str = PUBLIC) -> dict[str, Any]:
    text = render.cloud_init(host_key_private=private, host_key_public=public)
    assert text.startswith("#cloud-config\n")
    assert len(text.encode()) < 32 * 1024, "Hetzner takes no more"
    return yaml.safe_load(text)


def files() -> dict[str, tuple[str, str]]:
    return {
        one["path"]: (one["permissions"], base64.b64decode(one["content"]).decode())
        for one in cloud_init()["write_files"]
    }


def test_the_host_key_arrives_unchanged() -> None:
    keys = cloud_init()["ssh_keys"]
    assert keys["ed25519_private"] == PRIVATE
    assert keys["ed25519_public"] == PUBLIC


def test_nothing_but_the_host_key_differs_between_servers() -> None:
    one, other = cloud_init(), cloud_init(PRIVATE.replace("b3", "c4"), PUBLIC.replace("AAAA", "BBBB"))
    assert one.pop("ssh_keys") != other.pop("ssh_keys")
    assert one == other


def test_nobody_logs_in_by_password() -> None:
    assert cloud_init()["ssh_pwauth"] is False


def test_the_scripts_are_shell_and_can_be_run() -> None:
    for path, (mode, content) in files().items():
        if path.endswith(".service"):
            assert mode == "0644"
            continue
        assert mode == "0755"
        check = subprocess.run(["sh", "-n"], input=content, text=True, capture_output=True, check=False)
        assert check.returncode == 0, f"{path}: {check.stderr}"


def test_user_data_is_a_text_that_cloud_init_decodes_and_that_is_small() -> None:
    sent = render.user_data(host_key_private=PRIVATE, host_key_public=PUBLIC)
    assert len(sent) < 3_000, "the state keeps it for each server"
    text = gzip.decompress(base64.b64decode(sent, validate=True)).decode()
    assert text == render.cloud_init(host_key_private=PRIVATE, host_key_public=PUBLIC)


def test_the_first_boot_runs_the_preparation() -> None:
    assert cloud_init()["runcmd"] == [["/usr/local/sbin/clawdet-prepare"]]
