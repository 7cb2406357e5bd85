"""Mistakes that people make in a configuration, for random fleets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from clawdet_infra.config.scalars import resolve
from tests.unit.config.samples import GATEWAY_TOKEN

MISREAD = ["0123", "1_000", "True", "2024-1-5", "12.50", "1e5", "0x1F", "null_", "08", "4711"]
"""Texts that people write as ids and YAML reads as something else."""

_NAMES: list[Callable[[str], str]] = [
    lambda name: name.title(),
    lambda name: f"{name}_corp",
    lambda name: f"{name.upper()}_Corp",
    lambda name: f"{name} corp",
    lambda name: f"{name}\tcorp",
    lambda name: f" {name}",
    lambda name: f"{name}.",
    lambda name: f"{name}..x",
    lambda name: f"-{name}",
    lambda name: f"{name}-",
    lambda name: f"zz--{name}",
    lambda name: f"{name}-\u00e9l\u00e8ve",
    lambda name: f"{name}\u0430",
    lambda name: f"clawdet-{name}",
    lambda name: f"{name}{'-long' * 12}",
    lambda name: f"*.{name}",
    lambda name: "$(id)",
    lambda name: "",
]
_CUSTOMER: dict[str, list[Any]] = {
    "plan": ["Pro", "FREE", "enterprize", "gold", 12, ""],
    "wave": [99, "0", -1, 1.5, "first"],
    "tokenVersion": [0, "2", 10**9],
    "protect": ["yes", "false", 1, "maybe"],
    "authPassword": ["Derived", "independant", True],
    "limits": [
        {"memory": "3072"},
        {"memory": "3072 MiB"},
        {"memory": "3g"},
        {"memory": 512},
        {"memory": -1},
        {"memory": 10**9},
        {"memory": 90000},
        {"cpus": "1.5"},
        {"cpus": 0.1},
        {"cpus": 40},
        {"pids": "300"},
        {"pids": 5},
        {"cpu": 1},
        {"Memory": 4096},
    ],
    "server": [
        {"type": "cx22"},
        {"type": "CX33"},
        {"type": "cx99"},
        {"type": "cx22", "location": "ash"},
        {"type": "cpx11", "location": "fsn1"},
        {"type": "cpx31", "location": "fsn1"},
        {"location": "fsn1-dc14"},
        {"location": "ash"},
        {"location": "Nbg1"},
        {"Type": "cx33"},
        {"typ": "cx33", "type": "cx33"},
    ],
    "host": ["shared1", "shared-3", "Shared-2", "nowhere", None],
    "release": [
        {"browser": "a/b:1"},
        {"gateway": "https://ghcr.io/openclaw/openclaw:2026.9.6"},
        {"gateway": " a/b:1"},
        {"gateway": "a/b"},
        {"gatway": "a/b:1"},
    ],
    "gatewayToken": [GATEWAY_TOKEN, GATEWAY_TOKEN.upper()],
    "existingServer": [{"ipv4": " 5.75.200.7", "hostKey": "x"}, {"ipv4": "127.0.0.1"}],
}
_FLEET: dict[str, list[Any]] = {
    "domain": ["Clawdet.com", "clawdet.com.", " clawdet.com", "clawdet", "clawdet_co.com"],
    "acmeEmail": ["ops@Clawdet.com", " ops@clawdet.com", "ops@clawdet.com.", "ops@clawdet", "ops", "ops@example.com"],
    "zone": ["Manage", "managed", "exists", "none"],
    "server": [
        {"type": "cx22", "location": "fsn1"},
        {"type": "cx23", "location": "fsn1", "image": "ubuntu-24.04"},
        {"type": "cx23", "location": "fsn1-dc14"},
        {"type": "cpx11", "location": "fsn1"},
    ],
    "ssh": [
        {"sources": ["203.0.113.7"]},
        {"sources": ["203.0.113.7/24"]},
        {"sources": ["203.0.113.7", "203.0.113.7/32"]},
        {"sources": ["0.0.0.1/0"]},
        {"sources": ["203.0.113.0/24", "203.0.113.0/24", "198.51.100.0/24", "198.51.100.0/24"]},
        {"sources": "203.0.113.0/24"},
        {"sources": ["office"]},
        {"sources": ["203.0.113.0/24"], "openToWorld": "no"},
    ],
    "rollout": [{"waves": 100}, {"waves": ["100"]}, {"wave": [100]}, {"waves": [50, 60]}],
    "plans": [
        {"pro": {"memory": 9000}},
        {"pro": {"browser": {"memory": 1024}}},
        {"free": {"server": {"type": "cx33"}}},
        {"Pro": {"cpus": 1}},
        {"enterprise": {"server": {"location": "ash"}}},
        {"free": {"memory": 40000}},
    ],
    "protect": ["true", "no"],
    "cloud": [{"acme": {"directory": "http://acme.clawdet.com/dir"}}, {"imagePrefix": "10.1.0.1:5000"}],
}
_HOST: dict[str, list[Any]] = {
    "capacity": [0, "7", 1, 500],
    "type": ["cx52", "cx23", "CX53"],
    "location": ["fsn1-dc14", "ash"],
}


@dataclass
class Mistaken:
    """A configuration with mistakes; `written` has the texts of the file where YAML makes something else of them."""

    raw: dict[str, Any]
    written: dict[str, str] = field(default_factory=dict)


@st.composite
def mistaken(draw: st.DrawFn, fleets: st.SearchStrategy[dict[str, Any]], most: int = 4) -> Mistaken:
    """A fleet that obeyed every rule, with up to `most` mistakes."""
    made = Mistaken(draw(fleets))
    for _ in range(draw(st.integers(1, most))):
        draw(st.sampled_from([_name, _name, _misread_id, _value, _value, _fleet_value, _host_value, _key]))(draw, made)
    return made


def _entry(draw: st.DrawFn, made: Mistaken) -> tuple[int, dict[str, Any]]:
    position = draw(st.integers(0, len(made.raw["customers"]) - 1))
    return position, made.raw["customers"][position]


def _name(draw: st.DrawFn, made: Mistaken) -> None:
    _, entry = _entry(draw, made)
    key = draw(st.sampled_from(["id", "subdomain"]))
    entry[key] = draw(st.sampled_from(_NAMES))(str(entry.get(key, entry.get("id", "x"))))


def _misread_id(draw: st.DrawFn, made: Mistaken) -> None:
    position, entry = _entry(draw, made)
    text = draw(st.sampled_from(MISREAD))
    key = draw(st.sampled_from(["id", "subdomain", "host", "plan"]))
    entry[key] = resolve(text)
    made.written[f"customers[{position}].{key}"] = text


def _value(draw: st.DrawFn, made: Mistaken) -> None:
    _set(draw, _entry(draw, made)[1], _CUSTOMER)


def _fleet_value(draw: st.DrawFn, made: Mistaken) -> None:
    key = draw(st.sampled_from(sorted(_FLEET)))
    value = draw(st.sampled_from(_FLEET[key]))
    before = made.raw.get(key)
    merged = isinstance(before, Mapping) and isinstance(value, Mapping)
    made.raw[key] = {**before, **value} if merged else value  # type: ignore[dict-item]


def _host_value(draw: st.DrawFn, made: Mistaken) -> None:
    hosts = made.raw["sharedHosts"] = [dict(one) for one in made.raw["sharedHosts"]]
    _set(draw, hosts[draw(st.integers(0, len(hosts) - 1))], _HOST)


def _set(draw: st.DrawFn, holder: dict[str, Any], values: dict[str, list[Any]]) -> None:
    key = draw(st.sampled_from(sorted(values)))
    value = draw(st.sampled_from(values[key]))
    if value is None:
        holder.pop(key, None)
    else:
        holder[key] = value


def _key(draw: st.DrawFn, made: Mistaken) -> None:
    """Misspell a key of a customer, or of the fleet."""
    holder = draw(st.sampled_from([made.raw, _entry(draw, made)[1]]))
    # The lists stay, for further mistakes in them.
    key = draw(st.sampled_from(sorted(holder.keys() - {"customers", "sharedHosts"})))
    other = draw(st.sampled_from([key.upper(), key.title(), f"{key}s", key[:-1], key[1:] + key[0]]))
    if other != key and len(key) > 2:
        value = holder[key]
        if not draw(st.booleans()):  # Else both are there.
            del holder[key]
        holder[other] = value
