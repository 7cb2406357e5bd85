"""Random fleets that obey every rule."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.config.samples import API_KEY, fleet

HOSTS = [
    {"id": "shared-1", "type": "cx53", "location": "fsn1", "capacity": 15},
    {"id": "shared-2", "type": "cx53", "location": "hel1", "capacity": 15},
]

# No reserved word and no host begins with k and is this short, and no id begins with q as the subdomains do, so random
# fleets obey the rules about names without being filtered.
_ids = st.from_regex(r"k[a-z0-9]{1,6}(-z[0-9]{1,3})?", fullmatch=True)


@st.composite
def customers(draw: st.DrawFn, waves: int = 3) -> dict[str, Any]:
    """A customer of any plan with any of the settings that the plan allows."""
    plan = draw(st.sampled_from(["free", "pro", "enterprise"]))
    entry: dict[str, Any] = {"id": draw(_ids), "plan": plan, "anthropicApiKey": API_KEY}
    optional: dict[str, st.SearchStrategy[Any]] = {
        "tokenVersion": st.integers(1, 9),
        "authPassword": st.sampled_from(["derived", "independent"]),
        "wave": st.integers(0, waves - 1),
        "protect": st.booleans(),
        "release": st.fixed_dictionaries(
            {"gateway": st.sampled_from(["ghcr.io/openclaw/openclaw:2026.10.1", "a/b:1"])}
        ),
        "limits": st.fixed_dictionaries({}, optional={"cpus": st.sampled_from([0.5, 1, 2]), "pids": st.just(300)}),
    }
    if plan == "free":
        entry["host"] = draw(st.sampled_from(["shared-1", "shared-2"]))
    else:
        optional["server"] = st.sampled_from([{"type": "ccx13"}, {"location": "nbg1"}, {}])
    for name, values in optional.items():
        if draw(st.booleans()):
            entry[name] = draw(values)
    if draw(st.booleans()):
        entry["subdomain"] = "q" + entry["id"].replace("-", ".")
    return entry


@st.composite
def fleets(draw: st.DrawFn, least: int = 0) -> dict[str, Any]:
    """A fleet of up to 12 customers on two shared hosts."""
    entries = draw(st.lists(customers(), min_size=least, max_size=12, unique_by=lambda one: one["id"].replace("-", "")))
    return fleet(*entries, sharedHosts=HOSTS, rollout={"waves": [5, 20, 75]})
