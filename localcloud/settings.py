"""How a cloud was asked to be, kept in its home from one start to the next."""

from __future__ import annotations

import json
import secrets
import socket
import string
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from localcloud.paths import DEFAULT_NAME

_LOOPBACK = "127.0.0.1"
_API_PORT, _DNS_PORT = 8480, 8453
_TOKEN_LENGTH = 64


class SettingsError(Exception):
    """The cloud cannot be as it was asked to be; the text says why and what to do."""


@dataclass(frozen=True)
class Behaviour:
    """What each `up` says anew: what it does not mention is off."""

    boot_delay: float = 0.0
    """Seconds that a server takes longer to boot than its machine does."""
    error_rates: Mapping[str, float] = field(default_factory=dict)
    """Share of requests that fail, by route."""
    rate_limit: int = 3600
    """Requests an hour; Hetzner allows this many."""
    seed: int | None = None
    """Makes injected errors the same on every run."""
    sold_out: tuple[str, ...] = ()
    """Server types that cannot be had now, as `TYPE` for everywhere or `TYPE@LOCATION`."""


@dataclass(frozen=True)
class Settings:
    """One cloud's settings; all but its behaviour stay as they were at its first start."""

    token: str
    port: int
    dns_port: int
    api_only: bool
    egress: bool = False
    """Whether servers reach what this machine reaches; their network is made so, or not."""
    push_port: int = 0
    """Where the registry takes pushes; 0 in the settings of an older cloud, until it is started again."""
    behaviour: Behaviour = field(default_factory=Behaviour)

    @classmethod
    def load(cls, path: Path) -> Settings | None:
        """The settings in a file, or None where there is none yet."""
        try:
            document = json.loads(path.read_text())
            behaviour = document["behaviour"]
            behaviour["sold_out"] = tuple(behaviour.get("sold_out", ()))
            return cls(**{**document, "behaviour": Behaviour(**behaviour)})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise SettingsError(f"{path} cannot be read ({error}); destroy the cloud or mend the file") from error

    def save(self, path: Path) -> None:
        """Write them; only their owner may read them, because of the token."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, asdict(self))

    @property
    def endpoint(self) -> str:
        """The API's base URL."""
        return f"http://{_LOOPBACK}:{self.port}/v1"

    @property
    def dns(self) -> str:
        """The name server's address and port on this machine."""
        return f"{_LOOPBACK}:{self.dns_port}"


def decide(
    before: Settings | None,
    name: str,
    *,
    api_only: bool = False,
    egress: bool = False,
    port: int | None = None,
    dns_port: int | None = None,
    behaviour: Behaviour | None = None,
) -> Settings:
    """The settings of a start: what was asked for now, else what was there before, else a free choice.

    Raises SettingsError where a cloud with servers is asked to be one without, or the other way round.
    """
    behaviour = behaviour or Behaviour()
    if before is None:
        first = name == DEFAULT_NAME
        return Settings(
            token="".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_TOKEN_LENGTH)),
            port=port or free_port(_API_PORT if first else None),
            dns_port=dns_port or free_port(_DNS_PORT if first else None),
            api_only=api_only,
            egress=egress,
            push_port=free_port(),
            behaviour=behaviour,
        )
    if before.api_only != api_only:
        was, asked = ("without", "without --api-only") if before.api_only else ("with", "with --api-only")
        raise SettingsError(
            f"the cloud '{name}' was made {was} machines and cannot be started {asked}: "
            "give another --name, or destroy it first"
        )
    if egress and not before.egress:
        raise SettingsError(
            f"the network of the cloud '{name}' was made without a way out and cannot be given one: "
            "give another --name, or destroy it first"
        )
    return replace(
        before,
        port=port or before.port,
        dns_port=dns_port or before.dns_port,
        push_port=before.push_port or free_port(),
        behaviour=behaviour,
    )


def free_port(wanted: int | None = None) -> int:
    """A port of the loopback that is free for TCP and UDP: the wanted one if it is, else any."""
    for port in (wanted, *[0] * 20):
        if port is None:
            continue
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind((_LOOPBACK, port))
                chosen: int = tcp.getsockname()[1]
                udp.bind((_LOOPBACK, chosen))
            except OSError:
                continue
            return chosen
    raise SettingsError("no free port was found on 127.0.0.1")


def write_private(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a JSON file that only its owner may read, all at once."""
    draft = draft_of(path)
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(document, indent=2) + "\n")
    draft.replace(path)


def draft_of(path: Path) -> Path:
    """What `write_private` writes before it is put in the place of `path`."""
    return path.with_name(f".{path.name}.draft")
