"""Building the server image once and giving it to Docker.

mmdebstrap makes a tar archive of an installed system in the cache; Docker imports it.  Both are named by the
recipe's fingerprint, so nothing is done twice, and a changed recipe never meets an old image.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from localcloud.host.command import CommandError, require, run
from localcloud.images.server.mirror import machine_options, machine_sources
from localcloud.images.server.recipe import Recipe

BUILD_SECONDS = 1800.0
KEPT_IMAGES = 3
WORK_PREFIX = "server-build-"
LABEL = "clawdet.image"

Progress = Callable[[str], None]


def build_argv(recipe: Recipe, *, sources: Sequence[str], apt_options: Path, overlay: Path, output: Path) -> list[str]:
    """The command that builds the image's file system into the tar archive `output`."""
    return [
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=minbase",
        "--format=tar",
        f"--aptopt={apt_options}",
        "--aptopt=APT::Install-Recommends false",
        # A build that is cut short is thrown away, so there is no point in writing every file to the disk at once.
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt={option}" for option in recipe.dpkg_options),
        f"--include={','.join(recipe.packages)}",
        f"--customize-hook=tar-in {overlay} /",
        *(f"--customize-hook={hook}" for hook in recipe.hooks),
        recipe.suite,
        str(output),
        *sources,
    ]


def import_argv(docker: Sequence[str], recipe: Recipe, archive: Path) -> list[str]:
    """The command that makes a Docker image of the archive."""
    return [
        *docker,
        "import",
        "--change",
        'ENTRYPOINT ["/usr/local/sbin/local-cloud-init"]',
        "--change",
        f"LABEL {LABEL}=server",
        str(archive),
        recipe.image,
    ]


def ensure_image(docker_host: str, recipe: Recipe, cache: Path, progress: Progress = lambda _: None) -> str:
    """Make sure that Docker has the image of `recipe`, and return its name.

    Takes about half a minute the first time, less than a second afterwards.  Several processes may ask at once.
    """
    docker = ["docker", "--host", docker_host]
    if _present(docker, recipe.image):
        return recipe.image
    cache.mkdir(parents=True, exist_ok=True)
    with _lock(cache / "server.lock"):
        if _present(docker, recipe.image):
            return recipe.image
        archive = cache / f"server-{recipe.fingerprint}.tar"
        if not archive.exists():
            progress("building the server image (once, about half a minute)")
            _build(recipe, archive)
        run(import_argv(docker, recipe, archive), timeout=600.0)
        _forget_old(docker, cache, archive)
    return recipe.image


def _present(docker: Sequence[str], image: str) -> bool:
    try:
        run([*docker, "image", "inspect", "--format", "{{.Id}}", image])
    except CommandError as error:
        if "no such image" in str(error).lower():
            return False
        raise
    return True


def _forget_old(docker: Sequence[str], cache: Path, archive: Path) -> None:
    """Remove archives of other recipes, and images of all but the last few: another checkout may be at work."""
    for old in cache.glob("server-*.tar"):
        if old != archive:
            old.unlink()
    names = run([*docker, "image", "ls", "clawdet-server", "--format", "{{.Repository}}:{{.Tag}}"]).split()
    for name in names[KEPT_IMAGES:]:
        # Docker keeps an image that a container was made from, and lists the newest first.
        with contextlib.suppress(CommandError):
            run([*docker, "image", "rm", name])


def _build(recipe: Recipe, archive: Path) -> None:
    require("mmdebstrap", "apt-get")
    for stale in archive.parent.glob(f"{WORK_PREFIX}*"):
        # A build that was killed left it; the lock says that nobody builds now.  Nothing mounted in it is followed.
        run(["rm", "--recursive", "--force", "--one-file-system", str(stale)])
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=archive.parent) as folder:
        work = Path(folder)
        options = work / "apt.conf"
        options.touch(mode=0o600)
        options.write_text(machine_options())
        overlay = work / "overlay.tar"
        overlay.write_bytes(recipe.overlay)
        output = work / "server.tar"
        argv = build_argv(
            recipe,
            sources=machine_sources(recipe.suite),
            apt_options=options,
            overlay=overlay,
            output=output,
        )
        run(argv, timeout=BUILD_SECONDS, env={**os.environ, "TMPDIR": folder, "LC_ALL": "C.UTF-8"})
        output.replace(archive)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
