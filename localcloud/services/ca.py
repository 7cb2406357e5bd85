"""The local certificate authority: signs what the registry and the ACME server show, and collects who is to be trusted.

Files in its folder: `root.pem` (the authority's own certificate), `bundle.pem` (that and the root of every ACME server
that has run so far), and a key and a certificate for each service.  A second folder has the certificates of the bundle
one a file, for `SSL_CERT_DIR`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_ROOT_DAYS = 3650
_SERVICE_DAYS = 397
_HISTORY = 50
"""How many ACME roots are kept; what an older one has signed is long renewed."""


@dataclass(frozen=True)
class KeyPair:
    """The files of a service's private key and certificate, PEM."""

    key: Path
    certificate: Path


class CertificateAuthority:
    """An authority in a folder, made there at first use; `directory` is the folder for `SSL_CERT_DIR`."""

    def __init__(self, folder: Path, directory: Path, name: str) -> None:
        self.folder = folder
        self.directory = directory
        self._name = name
        self._key_path = folder / "root.key"

    @property
    def root(self) -> Path:
        """The authority's certificate."""
        return self.folder / "root.pem"

    @property
    def bundle(self) -> Path:
        """Every certificate to trust, in one file."""
        return self.folder / "bundle.pem"

    def ensure(self) -> None:
        """Make the authority where there is none, and the bundle."""
        if not (self.root.is_file() and self._key_path.is_file()):
            self._create()
        self._write_bundle()

    def issue(self, service: str, addresses: Sequence[IPv4Address | IPv6Address], names: Sequence[str] = ()) -> KeyPair:
        """A fresh key and certificate for `service` at these addresses and names."""
        issuer = x509.load_pem_x509_certificate(self.root.read_bytes())
        signer = serialization.load_pem_private_key(self._key_path.read_bytes(), password=None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        subjects: list[x509.GeneralName] = [x509.IPAddress(address) for address in addresses]
        subjects += [x509.DNSName(name) for name in names]
        certificate = (
            _builder(_common_name(f"{service} of {self._name}"), issuer.subject, key.public_key(), _SERVICE_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        pair = KeyPair(self.folder / f"{service}.key", self.folder / f"{service}.pem")
        _write_key(pair.key, key)
        _write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        return pair

    def trust(self, certificate: bytes) -> None:
        """Add the root of an ACME server (PEM) to what is trusted; one that is there already changes nothing."""
        digest = x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256()).hex()
        path = self.directory / f"acme-{digest[:16]}.pem"
        if not path.is_file():
            _write(path, certificate)
        for old in self._acme_roots()[:-_HISTORY]:
            old.unlink(missing_ok=True)
        self._write_bundle()

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        self.directory.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _common_name(f"Local authority of {self._name}")
        certificate = (
            _builder(subject, subject, key.public_key(), _ROOT_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        _write_key(self._key_path, key)
        _write(self.root, certificate.public_bytes(serialization.Encoding.PEM))
        _write(self.directory / "local.pem", self.root.read_bytes())

    def _acme_roots(self) -> list[Path]:
        return sorted(self.directory.glob("acme-*.pem"), key=lambda path: path.stat().st_mtime)

    def _write_bundle(self) -> None:
        certificates = [self.directory / "local.pem", *self._acme_roots()]
        _write(self.bundle, b"".join(path.read_bytes().strip() + b"\n" for path in certificates))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    # An hour back, for clients whose clocks are a little behind.
    start = datetime.now(UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, text, mode=0o600)


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace the file at once, so that no reader sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)
