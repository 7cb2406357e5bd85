"""Certificates for the simulated fleet: an authority, one between, and one certificate for all names."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_Key = ec.EllipticCurvePrivateKey


class Authority:
    """An authority as the public ones are: a root that is trusted, and one below it that signs."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        root_key, self._key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = _certificate(f"{name} root", root_key, f"{name} root", root_key, authority=True)
        self._between = _certificate(f"{name} R1", self._key, f"{name} root", root_key, authority=True)
        self.bundle = folder / f"{name}-ca.pem"
        self.bundle.write_bytes(root.public_bytes(serialization.Encoding.PEM))

    def certificate(self, host: str, *, days: float = 60) -> Path:
        """Make a key and a chain for a name, in one PEM file."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(host, key, f"{self._name} R1", self._key, days=days)
        file = self._folder / f"{self._name}-{host.replace('*', 'any')}-{days}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = [one.public_bytes(serialization.Encoding.PEM) for one in (leaf, self._between)]
        file.write_bytes(b"".join([private, *chain]))
        return file


def _certificate(
    name: str, key: _Key, issuer: str, issuer_key: _Key, *, days: float = 300, authority: bool = False
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=90))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
