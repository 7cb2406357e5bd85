"""A real image registry (Debian's docker-registry) with one small image, as the cloud's network sees it."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import io
import ipaddress
import json
import os
import ssl
import subprocess
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass
class TestRegistry:
    """A running registry; `authority` is the file with the certificate that it is trusted by."""

    __test__ = False

    address: str
    authority: Path
    process: subprocess.Popen[bytes]

    def push(self, repository: str, tag: str, *, note: str = "") -> str:
        """Put an image there whose programs come from a folder /usr that is mounted into it; returns its name.

        The image itself has only links, so that nothing has to be built.  `note` makes its digest another one.
        """
        tar = layer(note)
        blob = gzip.compress(tar, mtime=0)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": ["PATH=/usr/bin"], "Cmd": ["python3", "-m", "http.server", "8000"]},
                "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
            }
        ).encode()
        for content in (blob, config):
            self._upload(repository, content)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "size": len(config), "digest": digest(config)},
                "layers": [{"mediaType": LAYER, "size": len(blob), "digest": digest(blob)}],
            }
        ).encode()
        self._send("PUT", f"{repository}/manifests/{tag}", manifest, {"Content-Type": MANIFEST})
        return f"{self.address}/{repository}:{tag}"

    def answers(self) -> bool:
        try:
            self._send("GET", "", None, {})
        except OSError:
            assert self.process.poll() is None, "docker-registry has ended"
            return False
        return True

    def _upload(self, repository: str, content: bytes) -> None:
        location = self._send("POST", f"{repository}/blobs/uploads/", b"", {})
        joint = "&" if "?" in location else "?"
        url = f"{location}{joint}digest={digest(content)}"
        self._send("PUT", url, content, {"Content-Type": "application/octet-stream"})

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> str:
        url = path if path.startswith("https://") else f"https://{self.address}/v2/{path}"
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        context = ssl.create_default_context(cafile=str(self.authority))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=20) as answer:
            return str(answer.headers.get("Location", ""))


def start(address: ipaddress.IPv4Address, port: int, folder: Path) -> TestRegistry:
    """Start a registry on an address of this machine, with a certificate for it."""
    key, certificate = certificate_for(address)
    (folder / "key.pem").write_bytes(key)
    (folder / "certificate.pem").write_bytes(certificate)
    settings = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
        "http": {
            "addr": f"{address}:{port}",
            "tls": {"certificate": str(folder / "certificate.pem"), "key": str(folder / "key.pem")},
        },
    }
    (folder / "config.yml").write_text(json.dumps(settings))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(folder / "config.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
    )
    return TestRegistry(f"{address}:{port}", folder / "certificate.pem", process)


def layer(note: str) -> bytes:
    """The file system of the image: the places that programs of a merged-/usr Debian expect."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("usr", "tmp", "etc", "proc", "sys", "dev"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name in ("bin", "lib", "lib64", "sbin"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(entry)
        content = f"a container of the tests {note}\n".encode()
        entry = tarfile.TarInfo("index.html")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def certificate_for(address: ipaddress.IPv4Address) -> tuple[bytes, bytes]:
    """A key and a certificate that signs itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry of the tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(address)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, certificate.public_bytes(encoding)
