"""The public passphrase of the examples protects nothing but local clouds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.automation.base import Base
from clawdet_infra.automation.errors import SetupError
from clawdet_infra.config import CloudAccess, load_fleet, passphrase
from clawdet_infra.paths import ROOT
from tests.unit.config.samples import CLOUD_TOKEN, customer, fleet

EXAMPLE = {"PULUMI_CONFIG_PASSPHRASE": passphrase.EXAMPLE}
SALT = "encryptionsalt: v1:MXT5p3HUzcA=:v1:HhlrIDGAICKa0n7Q:jG9CuMVzmcoYvkCwNDCSMtU5Erf9Sg==\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "Pulumi.prod.yaml"
    written.write_text(SALT)
    return written


def refused(file: Path, environment: dict[str, str], *, local: bool = False) -> bool:
    return passphrase.refusal("prod", file, environment, local=local) is not None


def test_it_is_refused_outside_of_local_clouds_with_what_to_do(file: Path) -> None:
    said = passphrase.refusal("prod", file, EXAMPLE, local=False)
    assert said
    assert "pulumi stack change-secrets-provider passphrase -s prod" in said
    assert passphrase.EXAMPLE not in said
    assert not refused(file, EXAMPLE, local=True)


def test_another_passphrase_or_none_is_no_concern(file: Path) -> None:
    assert not refused(file, {"PULUMI_CONFIG_PASSPHRASE": "correct horse"})
    assert not refused(file, {"PULUMI_CONFIG_PASSPHRASE": ""})
    assert not refused(file, {})


def test_it_is_found_in_a_file_too_and_the_variable_goes_before_the_file(file: Path, tmp_path: Path) -> None:
    named = tmp_path / "passphrase"
    named.write_text(f"{passphrase.EXAMPLE}\n")
    by_file = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(named)}
    assert refused(file, by_file)
    assert not refused(file, {**by_file, "PULUMI_CONFIG_PASSPHRASE": "correct horse"})
    assert refused(file, {"PULUMI_CONFIG_PASSPHRASE_FILE": "/nonexistent", **EXAMPLE})
    assert not refused(file, {"PULUMI_CONFIG_PASSPHRASE_FILE": "/nonexistent"})


@pytest.mark.parametrize(
    ("content", "backend", "expected"),
    [
        ("secretsprovider: awskms://key\n", "s3://state", False),
        ("secretsprovider: passphrase\n", "s3://state", True),
        ("config: {}\n", "https://api.pulumi.com", False),
        ("config: {}\n", "file:///srv/state", True),
        (SALT, "https://api.pulumi.com", True),
        ("[", "s3://state", True),
        ("config: {clawdet:since: 2026-02-30}\n", "s3://state", True),
        (None, "s3://state", True),
        (None, "", True),
    ],
)
def test_it_counts_only_where_a_passphrase_protects_the_stack(
    tmp_path: Path, content: str | None, backend: str, expected: bool
) -> None:
    file = tmp_path / "Pulumi.new.yaml"
    if content is not None:
        file.write_text(content)
    assert refused(file, {**EXAMPLE, "PULUMI_BACKEND_URL": backend}) is expected


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        (None, False),
        ("https://api.hetzner.cloud/v1", False),
        ("https://8.8.8.8/v1", False),
        ("https://localhost.example/v1", False),
        ("http://127.0.0.1:8080/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://10.1.2.3/v1", True),
        ("http://localhost/v1", True),
    ],
)
def test_a_cloud_is_local_by_its_address(endpoint: str | None, local: bool) -> None:
    access: dict[str, Any] = {"token": CLOUD_TOKEN, **({"endpoint": endpoint} if endpoint else {})}
    assert CloudAccess.model_validate(access).is_local is local


def test_a_cell_and_its_base_are_refused_before_anything_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = Base("prod", load_fleet(fleet(customer(), cloud=None), token=CLOUD_TOKEN), {}, "1")
    base.refuse_public_passphrase("prod-cell-1", tmp_path)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", passphrase.EXAMPLE)
    with pytest.raises(SetupError, match="the secrets of stack prod-cell-1 are encrypted with the public passphrase"):
        base.refuse_public_passphrase("prod-cell-1", tmp_path)


def activated(shell: str, checkout: Path, before: str = "", after: str = "") -> dict[str, str]:
    """The variables of a shell that sources `activate` of a checkout."""
    script = f"{before}\n. ./activate\n{after}\nenv -0"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "CLAWDET_"))}
    done = subprocess.run([shell, "-c", script], cwd=checkout, env=environment, capture_output=True, check=True)
    return dict(one.partition("=")[::2] for one in done.stdout.decode().split("\0") if one)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose engine has nothing to say."""
    (tmp_path / "activate").write_text((ROOT / "activate").read_text())
    (tmp_path / "engine.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_an_activated_shell_has_the_examples_passphrase_until_another_is_named(
    checkout: Path, shell: str, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.write_text("correct horse\n")
    name_it = f"export PULUMI_CONFIG_PASSPHRASE_FILE={own}"
    assert passphrase.given(activated(shell, checkout)) == passphrase.EXAMPLE
    assert passphrase.given(activated(shell, checkout, before=name_it)) == "correct horse"
    assert passphrase.given(activated(shell, checkout, after=name_it)) == "correct horse"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_of_another_checkout_keeps_its_state_and_says_so(checkout: Path, shell: str, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    for name in ("activate", "engine.py"):
        (second / name).write_text((checkout / name).read_text())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "CLAWDET_"))}

    def said(script: str) -> str:
        argv = [shell, "-c", f"set -e\n{script}\necho $PULUMI_BACKEND_URL"]
        done = subprocess.run(argv, cwd=checkout, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == f"file://{checkout}/.clawdet/state?metadata=skip"
        return done.stderr

    assert said(". ./activate") == ""
    assert said(". ./activate\n. ./activate") == ""
    moved = said(f". ./activate\ncd {second}\n. ./activate\ncd ..")
    assert f"warning: this shell keeps the state of another checkout, {checkout} " in moved
    assert "unset PULUMI_BACKEND_URL" in moved
