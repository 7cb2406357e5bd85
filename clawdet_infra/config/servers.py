"""Servers: Hetzner's types and locations, and the fleet's settings for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator

from clawdet_infra.config.base import Record, Text, text
from clawdet_infra.config.problems import listed, meant, quoted, write, wrong

_EUROPE = ("fsn1", "nbg1", "hel1")
_AMERICA = ("ash", "hil")
_ASIA = ("sin",)
LOCATIONS = _EUROPE + _AMERICA + _ASIA

SERVER_ROOT = "/srv/clawdet"
"""The directory of all deployments on a server, with one directory each."""

EDGE_PROJECT = "clawdet-edge"
"""The Compose project of a shared host's edge proxy."""


@dataclass(frozen=True)
class ServerType:
    """A server type: cores, memory in GiB, disk in GB, and the locations that sell it."""

    cores: int
    memory_gib: int
    disk: int
    locations: tuple[str, ...]

    @property
    def memory(self) -> int:
        """Memory in MiB."""
        return self.memory_gib * 1024


SERVER_TYPES = {
    # Shared Intel and AMD cores.
    "cx23": ServerType(2, 4, 40, _EUROPE),
    "cx33": ServerType(4, 8, 80, _EUROPE),
    "cx43": ServerType(8, 16, 160, _EUROPE),
    "cx53": ServerType(16, 32, 320, _EUROPE),
    # Shared Ampere cores (arm64).
    "cax11": ServerType(2, 4, 40, _EUROPE),
    "cax21": ServerType(4, 8, 80, _EUROPE),
    "cax31": ServerType(8, 16, 160, _EUROPE),
    "cax41": ServerType(16, 32, 320, _EUROPE),
    # Shared AMD cores: the older generation (USA), and the newer one.
    "cpx11": ServerType(2, 2, 40, _AMERICA),
    "cpx21": ServerType(3, 4, 80, _AMERICA),
    "cpx31": ServerType(4, 8, 160, _AMERICA),
    "cpx41": ServerType(8, 16, 240, _AMERICA),
    "cpx51": ServerType(16, 32, 360, _AMERICA),
    "cpx12": ServerType(1, 2, 40, _EUROPE + _ASIA),
    "cpx22": ServerType(2, 4, 80, _EUROPE + _ASIA),
    "cpx32": ServerType(4, 8, 160, _EUROPE + _ASIA),
    "cpx42": ServerType(8, 16, 320, _EUROPE + _ASIA),
    "cpx52": ServerType(12, 24, 480, _EUROPE + _ASIA),
    "cpx62": ServerType(16, 32, 640, _EUROPE + _ASIA),
    # Dedicated cores.
    "ccx13": ServerType(2, 8, 80, LOCATIONS),
    "ccx23": ServerType(4, 16, 160, LOCATIONS),
    "ccx33": ServerType(8, 32, 240, LOCATIONS),
    "ccx43": ServerType(16, 64, 360, LOCATIONS),
    "ccx53": ServerType(32, 128, 600, LOCATIONS),
    "ccx63": ServerType(48, 192, 960, LOCATIONS),
}
"""The types as of 2026; add a line for each new type of Hetzner's."""


def misfit_of_type(old: str, new: str, disk: int) -> str | None:
    """Return why Hetzner would refuse to change the type of a server with this disk (GB); None if it would not.

    Unknown types are not checked.
    """
    if old == new or old not in SERVER_TYPES or new not in SERVER_TYPES:
        return None
    if _is_arm(old) != _is_arm(new):
        return f"a {old} and a {new} have processors of different architectures."
    smallest = SERVER_TYPES[new].disk
    if disk > smallest:
        return f"its disk has {disk} GB, a {new} has {smallest}, and Hetzner cannot shrink a disk."
    return None


def _is_arm(name: str) -> bool:
    return name.startswith("cax")


_HOST_KEY = re.compile(r"(?P<kind>[a-z0-9@.-]+) (?P<key>[A-Za-z0-9+/]+=*)(?: [^\n]*)?")
_HOST_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_HOST_KEY_FILE = "Use the line in /etc/ssh/ssh_host_ed25519_key.pub on the server: `ssh-ed25519 AAAA…`."
SERVER_IMAGES = ("debian-13",)
"""The supported server images: their distributions package Docker and Compose under the names that we install."""
_SUCCESSORS = {
    "cx11": "cx23",
    **{f"cx{size}{generation}": f"cx{size}3" for size in range(2, 6) for generation in (1, 2)},
}


_KNOWN_TYPES = f"Known types: {listed(tuple(SERVER_TYPES))}."


def _known_type(name: str) -> str:
    if successor := _SUCCESSORS.get(name.lower()):
        raise wrong(
            f"{quoted(name)} is a server type that Hetzner no longer sells.",
            suggestion=write(successor, f"Its successor is `{successor}`.", otherwise=_KNOWN_TYPES),
        )
    if name not in SERVER_TYPES:
        message = f"{quoted(name)} is not a known server type."
        raise wrong(message, _KNOWN_TYPES, meant(name, SERVER_TYPES))
    return name


def _known_location(name: str) -> str:
    if name not in LOCATIONS:
        hint = f"Known locations: {listed(LOCATIONS)}."
        raise wrong(f"{quoted(name)} is not a Hetzner location.", hint, meant(name, LOCATIONS))
    return name


def _debian_image(name: str) -> str:
    if name not in SERVER_IMAGES:
        message = f"{quoted(name)} is not a supported server image."
        raise wrong(message, suggestion=write(SERVER_IMAGES[0]))
    return name


ServerTypeName = Annotated[Text, AfterValidator(_known_type)]
LocationName = Annotated[Text, AfterValidator(_known_location)]
ServerImage = Annotated[Text, AfterValidator(_debian_image)]


_PUBLIC_ADDRESS = "Write the server's public address, without a prefix length."


def _address4(value: Any) -> Any:
    return _address(value, IPv4Address)


def _address6(value: Any) -> Any:
    return _address(value, IPv6Address)


def _address(value: Any, kind: type[A]) -> A:
    if isinstance(value, kind):
        return value
    written = str(text(value))
    if kind is IPv6Address and "%" in written:
        # A zone names a network interface of the local machine, and would give one address two spellings.
        plain = write(written.partition("%")[0], "Leave out the `%` and what follows.", otherwise=_PUBLIC_ADDRESS)
        raise wrong(f"{quoted(written)} has a zone, which is meaningful on one machine only.", suggestion=plain)
    try:
        return kind(written)
    except ValueError:
        family = "4" if kind is IPv4Address else "6"
        trimmed = write(written.strip()) if written != written.strip() else None
        raise wrong(f"{quoted(written)} is not an IPv{family} address.", _PUBLIC_ADDRESS, trimmed) from None


def _host_key(line: str) -> str:
    match = _HOST_KEY.fullmatch(line)
    if match is None:
        raise wrong("is not an SSH host key.", _HOST_KEY_FILE)
    kind, key = match["kind"], match["key"]
    if kind in ("ssh-rsa", "ssh-dss"):
        raise wrong(
            f"has the type {kind}. Pulumi's command plugin requests SHA-1 signatures for it, which current SSH servers "
            "refuse.",
            _HOST_KEY_FILE,
        )
    if kind not in _HOST_KEYS:
        raise wrong(f"is a key of the type {quoted(kind)}, which cannot be pinned.", _HOST_KEY_FILE)
    # Imported on demand: few fleets have such a server, and the import takes a tenth of a second.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        load_ssh_public_key(f"{kind} {key}".encode())
    except (ValueError, UnsupportedAlgorithm):
        raise wrong(
            f"is not a valid {kind} key: it is truncated, mixed with another, or of another type.",
            _HOST_KEY_FILE,
        ) from None
    return f"{kind} {key}"


A = TypeVar("A", IPv4Address, IPv6Address)
Address4 = Annotated[IPv4Address, BeforeValidator(_address4)]
Address6 = Annotated[IPv6Address, BeforeValidator(_address6)]
HostKey = Annotated[Text, AfterValidator(_host_key)]


class ServerDefaults(Record):
    """The fleet's default image, type and location of servers."""

    image: ServerImage = "debian-13"
    type: ServerTypeName
    location: LocationName


class ServerWish(Record):
    """A plan's or customer's overrides of the server defaults; None keeps the default."""

    type: ServerTypeName | None = None
    location: LocationName | None = None


class ExistingServer(Record):
    """A server that is not created by the stack: rented elsewhere, or by hand.

    Root must accept the fleet's login key (the public key of the stack's SSH key at Hetzner), and Docker with Compose
    must be installed.  `host_key` is its SSH host key, one line as in `/etc/ssh/ssh_host_ed25519_key.pub`.  Removing
    the customer keeps the server and everything else on it.
    """

    ipv4: Address4
    ipv6: Address6 | None = None
    host_key: HostKey


class ServerPlan(Record):
    """The resolved image, type and location of a server."""

    image: str
    type: str
    location: str


def decide_server(defaults: ServerDefaults, *wishes: ServerWish | None) -> ServerPlan:
    """Return the defaults with overrides applied; later ones win."""
    kind, location = defaults.type, defaults.location
    for wish in wishes:
        if wish is not None:
            kind = wish.type or kind
            location = wish.location or location
    return ServerPlan(image=defaults.image, type=kind, location=location)
