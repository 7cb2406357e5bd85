"""The local authority: what it signs is accepted by OpenSSL, and what it trusts only grows."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from localcloud.services.ca import CertificateAuthority, KeyPair

LOOPBACK = IPv4Address("127.0.0.1")


def authority(folder: Path, name: str = "test") -> CertificateAuthority:
    made = CertificateAuthority(folder / name / "ca", folder / name / "ca.d", name)
    made.ensure()
    return made


def shake_hands(pair: KeyPair, trusted: Path, name: str) -> None:
    """A TLS connection over loopback, verified for `name` against the certificates in `trusted`."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(pair.certificate, pair.key)
    client_context = ssl.create_default_context(cafile=trusted)
    # The strict rules that newer Pythons apply by default: key identifiers, critical extensions and so on.
    client_context.verify_flags |= ssl.VerifyFlags(0x20)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    server_context.wrap_socket(connection, server_side=True).close()
                except (ssl.SSLError, ConnectionError):
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            with socket.create_connection(listening.getsockname()) as plain:
                client_context.wrap_socket(plain, server_hostname=name).close()
        finally:
            thread.join()


def test_a_certificate_is_good_for_its_addresses_and_names_only(tmp_path: Path) -> None:
    made = authority(tmp_path)
    pair = made.issue("registry", [LOOPBACK], ["registry.test"])

    shake_hands(pair, made.bundle, "127.0.0.1")
    shake_hands(pair, made.bundle, "registry.test")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(pair, made.bundle, "127.0.0.2")


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    pair = authority(tmp_path, "one").issue("registry", [LOOPBACK])

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(pair, authority(tmp_path, "two").bundle, "127.0.0.1")


def test_the_authority_is_the_same_after_a_restart(tmp_path: Path) -> None:
    first = authority(tmp_path).root.read_bytes()

    assert authority(tmp_path).root.read_bytes() == first, "servers made before would no longer trust the registry"


def test_every_acme_root_so_far_is_in_the_bundle_and_in_the_folder(tmp_path: Path) -> None:
    made = authority(tmp_path)
    roots = [authority(tmp_path, f"acme{number}").root.read_bytes() for number in range(3)]
    for root in [*roots, roots[0]]:
        made.trust(root)
    again = authority(tmp_path)

    bundle = again.bundle.read_bytes()
    for root in [made.root.read_bytes(), *roots]:
        assert bundle.count(root.strip()) == 1
    assert len(ssl.create_default_context(cafile=again.bundle).get_ca_certs()) == 4
    assert len(list(again.directory.glob("*.pem"))) == 4


def test_private_keys_are_their_owners(tmp_path: Path) -> None:
    made = authority(tmp_path)
    pair = made.issue("registry", [LOOPBACK])

    for key in (pair.key, made.folder / "root.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for trusted in (made.bundle, made.root, *made.directory.iterdir()):
        assert b"PRIVATE" not in trusted.read_bytes()
