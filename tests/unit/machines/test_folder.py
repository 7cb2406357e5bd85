"""What a server's entry script and cloud-init are given."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import yaml

from localcloud.machines.docker.folder import Folder, Registry, Surroundings, config_files, seed_files
from tests.unit.machines.test_container import SPEC

SURROUNDINGS = Surroundings(
    dns=IPv4Address("10.20.0.1"), ipv6_prefix=48, registry=Registry("10.20.0.1:5000", "PEM"), egress=False
)


def test_the_entry_script_learns_addresses_resolver_and_registry() -> None:
    files = config_files(SPEC, SURROUNDINGS)
    assert files["resolv.conf"] == "nameserver 10.20.0.1\n"
    assert files["ipv6"] == "fd00:0:0:7::1/48\n"
    assert files["certs.d/10.20.0.1:5000/ca.crt"] == "PEM"
    assert not {"no-ipv4", "egress"} & set(files)


def test_addresses_that_were_not_ordered_are_told_too() -> None:
    files = config_files(replace(SPEC, ipv4=None, ipv6=None), SURROUNDINGS)
    assert "no-ipv4" in files
    assert "ipv6" not in files


def test_cloud_init_gets_user_data_as_it_is_and_the_keys_of_the_order() -> None:
    files = seed_files(replace(SPEC, root_password=None), "instance-1")
    metadata = json.loads(files["meta-data"])
    assert files["user-data"] == SPEC.user_data
    assert metadata == {"instance-id": "instance-1", "local-hostname": "web-7", "public-keys": list(SPEC.ssh_keys)}
    assert "vendor-data" not in files


def test_user_data_in_base64_is_decoded_as_cloud_init_does_on_hetzner() -> None:
    packed = gzip.compress(b"#cloud-config\n")
    sent = base64.b64encode(packed).decode()
    assert seed_files(replace(SPEC, user_data=sent), "instance-1")["user-data"] == packed
    for text in ("", "#!/bin/sh\n", "#cloud-config\n{}\n"):
        assert seed_files(replace(SPEC, user_data=text), "instance-1")["user-data"] == text


def test_a_root_password_has_to_be_changed_at_the_first_login() -> None:
    vendor = yaml.safe_load(seed_files(SPEC, "instance-1")["vendor-data"])
    assert vendor["ssh_pwauth"] is True
    assert vendor["chpasswd"]["expire"] is True
    assert vendor["chpasswd"]["users"] == [{"name": "root", "password": "CANARY", "type": "text"}]


def test_only_root_reads_the_folder(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "7")
    folder.write(config_files(SPEC, SURROUNDINGS), seed_files(SPEC, "instance-1"))
    assert folder.path.stat().st_mode & 0o777 == 0o700
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    assert len(files) == 7
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_new_settings_remove_old_ones_but_not_the_folder_that_is_mounted(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "7")
    folder.write(config_files(SPEC, SURROUNDINGS), {})
    before = folder.config.stat().st_ino
    folder.write_config(config_files(replace(SPEC, ipv6=None), SURROUNDINGS))
    assert not (folder.config / "ipv6").exists()
    assert (folder.config / "certs.d/10.20.0.1:5000/ca.crt").read_text() == "PEM"
    assert folder.config.stat().st_ino == before
