"""Host keys of servers that are there already: whole, of their kind, and of a kind that the deployment can pin."""

from __future__ import annotations

import base64
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.config import load_fleet
from tests.unit.config.samples import complaints, customer, fleet


def line(public: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> str:
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


ED25519 = line(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key())
P256 = line(ec.derive_private_key(7, ec.SECP256R1()).public_key())
P521 = line(ec.derive_private_key(7, ec.SECP521R1()).public_key())
RSA = line(rsa.RSAPublicNumbers(65537, 2**2047 + 981).public_key())


def blob(key: str) -> str:
    return key.split()[1]


def packed(*parts: bytes) -> str:
    return base64.b64encode(b"".join(struct.pack(">I", len(part)) + part for part in parts)).decode()


def told(key: str) -> list[str]:
    entry = customer(existingServer={"ipv4": "5.75.200.7", "hostKey": key})
    return [one.partition("hostKey: ")[2] for one in complaints(fleet(entry))]


@pytest.mark.parametrize("key", [ED25519, P256, P521])
def test_a_whole_key_is_taken_without_its_comment(key: str) -> None:
    entry = customer(existingServer={"ipv4": "5.75.200.7", "hostKey": f"{key} root@server"})
    existing = load_fleet(fleet(entry)).customers[0].existing_server
    assert existing is not None
    assert existing.host_key == key


@pytest.mark.parametrize(
    ("key", "part"),
    [
        (ED25519[:-12], "is not a valid ssh-ed25519"),
        (f"ssh-ed25519 {blob(P256)}", "is not a valid ssh-ed25519"),
        (f"ecdsa-sha2-nistp256 {blob(ED25519)}", "is not a valid ecdsa-sha2-nistp256"),
        (f"ecdsa-sha2-nistp256 {blob(P521)}", "is not a valid ecdsa-sha2-nistp256"),
        (f"ssh-ed25519 {blob(RSA)}", "is not a valid ssh-ed25519"),
        (f"ssh-ed25519 {packed(b'ssh-ed25519', bytes(31))}", "is not a valid ssh-ed25519"),
        (f"ssh-ed25519 {packed(b'ssh-ed25519', bytes(32), b'more')}", "is not a valid ssh-ed25519"),
        (f"ssh-ed25519 {'A' * 68}", "is not a valid ssh-ed25519"),
        (RSA, "has the type ssh-rsa. Pulumi's command plugin requests SHA-1 signatures for it"),
        (f"ssh-dss {blob(RSA)}", "has the type ssh-dss"),
        (f"sk-ssh-ed25519@openssh.com {blob(ED25519)}", "which cannot be pinned"),
        (f"ssh-ed25519-cert-v01@openssh.com {blob(ED25519)}", "which cannot be pinned"),
        (blob(ED25519), "is not an SSH host key"),
        (f"5.75.200.7 {ED25519}", "is not an SSH host key"),
        (f"{ED25519}\n{P256}", "is not an SSH host key"),
    ],
)  # fmt: skip
def test_what_could_not_be_pinned_is_refused_with_the_reason(key: str, part: str) -> None:
    (message,) = told(key)
    assert part in message
    assert "/etc/ssh/ssh_host_ed25519_key.pub" in message


@given(st.integers(1, len(blob(ED25519)) - 1))
def test_no_part_of_a_key_is_one(length: int) -> None:
    assert len(told(f"ssh-ed25519 {blob(ED25519)[:length]}")) == 1
