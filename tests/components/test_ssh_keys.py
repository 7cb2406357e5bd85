"""SSH keys from seeds, judged by parsers that we did not write."""

import subprocess

import asyncssh
import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.components.ssh_keys import ssh_key_from_seed

SEED = bytes(range(32)).hex()
seeds = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(seeds)
def test_every_seed_gives_a_key_whose_halves_belong_together(seed: str) -> None:
    key = ssh_key_from_seed(seed)
    parsed = asyncssh.import_private_key(key.private)
    assert parsed.export_public_key().decode().split()[:2] == key.public.split()
    load_ssh_private_key(key.private.encode(), password=None)


@given(seeds)
def test_the_same_seed_gives_the_same_text_so_that_a_preview_shows_no_change(seed: str) -> None:
    assert ssh_key_from_seed(seed).private == ssh_key_from_seed(seed).private


def test_openssh_itself_reads_the_private_key(tmp_path) -> None:
    key = ssh_key_from_seed(SEED)
    path = tmp_path / "key"
    path.write_text(key.private)
    path.chmod(0o600)
    read = subprocess.run(["ssh-keygen", "-y", "-f", path], capture_output=True, text=True, check=True)
    assert read.stdout.split()[:2] == key.public.split()


@pytest.mark.parametrize("seed", ["", "not hexadecimal", "abcdef"])
def test_a_wrong_seed_is_refused_without_being_shown(seed: str) -> None:
    with pytest.raises(ValueError, match="seed of an SSH key") as error:
        ssh_key_from_seed(seed)
    assert not seed or seed not in str(error.value)


def test_a_key_does_not_show_its_private_half() -> None:
    assert "PRIVATE" not in repr(ssh_key_from_seed(SEED))
