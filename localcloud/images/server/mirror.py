"""Which Debian mirror this machine uses, so that images are built from the same one.

The machine's apt says it (`apt-get indextargets`), whatever files its sources are written in.  The suite may be an
older or newer one than the image's: only the suite's name is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localcloud.host.command import run

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
TARGETS_FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
_SUITE_NAMES = (
    "stable",
    "oldstable",
    "oldoldstable",
    "testing",
    "unstable",
    "sid",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
)


class MirrorError(Exception):
    """This machine's apt has no usable Debian mirror."""


@dataclass(frozen=True)
class Target:
    """One suite of one repository that the machine's apt takes packages from."""

    uri: str
    release: str
    component: str


def parse_targets(text: str) -> list[Target]:
    """Read what `apt-get indextargets --format` printed in TARGETS_FORMAT."""
    targets = []
    for line in text.splitlines():
        fields = line.strip().split("|")
        if len(fields) == 3:
            targets.append(Target(*fields))
    return targets


def sources(targets: Iterable[Target], suite: str, keyring: Path) -> list[str]:
    """The lines of a sources.list for `suite` on the mirrors that `targets` names, the main suite first.

    Updates and security are taken along where the machine uses them.  Raises MirrorError where no target is a
    Debian suite.
    """
    found: dict[str, str] = {}
    for target in targets:
        if target.component != "main":
            continue
        for kind in ("", "-updates", "-security"):
            if target.release in {name + kind for name in _SUITE_NAMES}:
                found.setdefault(kind, target.uri)
    if "" not in found:
        raise MirrorError(
            "this machine's apt has no Debian suite with the component main, so there is no mirror to build the "
            "server image from: add Debian's sources and run `apt-get update`"
        )
    return [
        f"deb [signed-by={keyring}] {found[kind]} {suite}{kind} main"
        for kind in ("", "-updates", "-security")
        if kind in found
    ]


def find_keyring(candidates: Iterable[Path] = KEYRINGS) -> Path:
    """Debian's archive keys on this machine."""
    for path in candidates:
        if path.is_file():
            return path
    raise MirrorError("Debian's archive keys are missing: run `apt-get install debian-archive-keyring`")


def machine_sources(suite: str) -> list[str]:
    """The lines of a sources.list for `suite`, from this machine's own apt configuration."""
    listing = run(["apt-get", "indextargets", "--format", TARGETS_FORMAT, "Created-By: Packages"])
    return sources(parse_targets(listing), suite, find_keyring())


def machine_options() -> str:
    """How this machine's apt fetches (proxies, certificates, retries), in the syntax of apt.conf.

    A proxy's address can hold a password, so the text belongs in a file that only root reads, never in an argument.
    """
    dump = run(["apt-config", "dump"])
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::Check-")
    return "".join(f"{line}\n" for line in dump.splitlines() if line.startswith(wanted))
