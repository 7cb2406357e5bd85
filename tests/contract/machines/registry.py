"""Small images for tests in the cloud's own registry."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import ssl
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass
class TestRegistry:
    """The registry of a cloud: where images are pulled from, and where they are pushed to.

    `authority` is the file with the certificate that it is trusted by.
    """

    __test__ = False

    address: str
    push_address: str
    authority: Path

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

    def _upload(self, repository: str, content: bytes) -> None:
        location = self._send("POST", f"{repository}/blobs/uploads/", b"", {})
        joint = "&" if "?" in location else "?"
        url = f"{location}{joint}digest={digest(content)}"
        self._send("PUT", url, content, {"Content-Type": "application/octet-stream"})

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> str:
        url = path if path.startswith("https://") else f"https://{self.push_address}/v2/{path}"
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        context = ssl.create_default_context(cafile=str(self.authority))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=20) as answer:
            return str(answer.headers.get("Location", ""))


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
