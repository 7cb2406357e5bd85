"""Gives an image to a Docker daemon without a registry, as the archive that `docker load` reads."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile

from localcloud.images.oci import Image


def load(docker_host: str, image: Image, name: str) -> None:
    """Load the image into Docker under `name`."""
    command = ["docker", "--host", docker_host, "load", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdin
        assert process.stdout
        with tarfile.open(fileobj=process.stdin, mode="w|") as archive:
            manifest = {
                "Config": "config.json",
                "RepoTags": [name],
                "Layers": [f"{number}.tar.gz" for number in range(len(image.layers))],
            }
            for member, content in (("config.json", image.config), ("manifest.json", json.dumps([manifest]).encode())):
                entry = tarfile.TarInfo(member)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            for number, layer in enumerate(image.layers):
                entry = tarfile.TarInfo(f"{number}.tar.gz")
                entry.size = layer.size
                with layer.path.open("rb") as file:
                    archive.addfile(entry, file)
        process.stdin.close()
        answer = process.stdout.read().decode()
    assert process.returncode == 0, f"docker load failed: {answer}"
