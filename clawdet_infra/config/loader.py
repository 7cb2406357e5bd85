"""Loads a raw configuration: returns a fleet, or the list of all its problems."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from clawdet_infra.config.access import is_local
from clawdet_infra.config.base import Record
from clawdet_infra.config.claims import Claims, Entry
from clawdet_infra.config.customer import Customer
from clawdet_infra.config.fleet import Fleet
from clawdet_infra.config.hosts import SharedHost
from clawdet_infra.config.plan import PlanOverrides
from clawdet_infra.config.problems import (
    MISREAD,
    QUOTE_IT,
    UNREADABLE,
    ConfigurationError,
    Problem,
    Suggestion,
    listed,
    nearest,
    quoted,
    quoting,
    remove,
    shown,
    write,
)
from clawdet_infra.config.rollout import Rollout
from clawdet_infra.config.rules import broken_rules
from clawdet_infra.config.secrets import Encrypted
from clawdet_infra.config.servers import ServerDefaults
from clawdet_infra.config.suggestions import settle

CLOUD_TOKEN = "hcloud:token"  # noqa: S105
"""The key of the token in the provider's own configuration."""

Location = tuple[int | str, ...]
R = TypeVar("R", bound=Record)

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,39}")
_ZERO_FIRST = re.compile(r"[-+]?0[0-9_]*[0-9]")
_MISSING = {
    "anthropicApiKey": "Set it with `pulumi config set --secret --path 'clawdet:{path}'`.",
    "id": "It identifies the customer permanently.",
    "plan": "Use free, pro or enterprise.",
    "customers": "Write `[]` for a fleet without customers.",
    "ssh": "Write `sources:` with the networks that may log in, such as [203.0.113.0/24].",
    "token": "Create one in the Hetzner Console and set it with `pulumi config set --secret hcloud:token`.",
}


Written = Callable[[str], str | None]
"""Returns the text in the file at a path; None if it is unknown."""


def load_fleet(raw: Mapping[str, Any], *, token: Any = None, written: Written = lambda _: None) -> Fleet:
    """Return the fleet of a raw configuration (keys as in YAML, without `clawdet:`).

    `token` is the value of `hcloud:token`, used if `cloud` has no token.  `written` returns the text of a value in the
    stack's file, if there is one.
    Raises ConfigurationError with all problems of the configuration, not only the first.
    """
    fleet, problems = examine(raw, token=token, written=written)
    if fleet is None:
        raise ConfigurationError(problems)
    return fleet


def examine(
    raw: Mapping[str, Any],
    *,
    token: Any = None,
    incomplete: bool = False,
    written: Written = lambda _: None,
    decided_later: Container[str] = (),
) -> tuple[Fleet | None, list[Problem]]:
    """Return the fleet of a raw configuration, or None and all problems of the configuration.

    The arguments are those of `load_fleet`.  An `incomplete` configuration may lack keys.  Encrypted values at paths in
    `decided_later` may be valid once the engine has decrypted them, so they are warnings.
    """

    def judge(raw: Mapping[str, Any]) -> tuple[Fleet | None, list[Problem]]:
        return _judge(raw, token=token, incomplete=incomplete, written=written, decided_later=decided_later)

    fleet, problems = judge(raw)
    return fleet, settle(raw, problems, lambda corrected: judge(corrected)[1])


def _judge(
    raw: Mapping[str, Any], *, token: Any, incomplete: bool, written: Written, decided_later: Container[str]
) -> tuple[Fleet | None, list[Problem]]:
    """Do what `examine` does, with suggestions that are not verified yet."""
    raw = dict(raw)
    if raw.get("cloud") in (None, ""):  # The engine passes an empty text for a key without a value.
        raw["cloud"] = {}
    from_key = isinstance(raw["cloud"], Mapping) and "token" not in raw["cloud"]
    if from_key and token is not None:
        raw["cloud"] = {**raw["cloud"], "token": token}
    misleading = list(_misleading_numbers(raw, written))
    try:
        fleet = Fleet.model_validate(raw, by_alias=True, by_name=False)
    except ConfigurationError as error:
        return None, _before(misleading, error.problems)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
    else:
        return (None if misleading else fleet), misleading
    told = [mistake for mistake in mistakes if not (incomplete and mistake["type"] == "missing")]
    broken = [mistake["loc"] for mistake in mistakes]
    problems = [*_told(told, raw, written, decided_later), *broken_rules(_claims(raw, broken))]
    misread = {_path(mistake["loc"]) for mistake in mistakes if mistake["type"] == MISREAD}
    problems = _before([one for one in misleading if one.field not in misread], problems)
    if from_key:
        problems = [replace(one, field=CLOUD_TOKEN) if one.field == "cloud.token" else one for one in problems]
    return None, problems


def _before(misleading: Sequence[Problem], problems: Iterable[Problem]) -> list[Problem]:
    """Return all problems, except others at the fields of `misleading`: those are about a number that was not meant."""
    fields = {one.field for one in misleading}
    return [*misleading, *(one for one in problems if one.field not in fields)]


def _misleading_numbers(raw: Mapping[str, Any], written: Written) -> Iterator[Problem]:
    """Yield whole numbers with a leading zero, which YAML reads in base 8."""
    for loc, value in _numbers(raw, ()):
        path = _path(loc)
        text = written(path) or ""
        if _ZERO_FIRST.fullmatch(text) and value != (meant := int(text)):
            yield Problem(
                customer=_customer(loc, raw, set()),
                field=path,
                message=f"is written as {text}, which YAML reads as the number {value}: a leading zero means base 8.",
                suggestion=write(meant, field=path, otherwise="Write the number without the leading zero."),
            )


def _numbers(value: Any, loc: Location) -> Iterator[tuple[Location, int]]:
    match value:
        case bool():
            return
        case int():
            yield loc, value
        case Mapping():
            for key, item in value.items():
                yield from _numbers(item, (*loc, key))
        case list() | tuple():
            for position, item in enumerate(value):
                yield from _numbers(item, (*loc, position))


def dump_fleet(fleet: Fleet) -> dict[str, Any]:
    """Return the raw configuration of a fleet, secrets in plain text; `load_fleet` returns an equal fleet for it."""

    def plain(value: Any) -> Any:
        match value:
            case BaseModel():
                fields = type(value).model_fields.items()
                pairs = ((field.alias or name, getattr(value, name)) for name, field in fields)
                return {name: plain(item) for name, item in pairs if item is not None}
            case tuple():
                return [plain(item) for item in value]
            case SecretStr():
                return value.get_secret_value()
            case str() | int() | float():
                return value
        return str(value)

    raw: dict[str, Any] = plain(fleet)
    return raw


def _told(
    mistakes: Iterable[ErrorDetails], raw: Mapping[str, Any], written: Written, decided_later: Container[str]
) -> Iterable[Problem]:
    """Translate pydantic's errors; a missing key that was only misspelled is not reported twice."""
    mistakes = list(mistakes)
    missing = {mistake["loc"] for mistake in mistakes if mistake["type"] == "missing"}
    broken = {mistake["loc"] for mistake in mistakes}
    for mistake in mistakes:
        if mistake["type"] == "extra_forbidden":
            place, key = mistake["loc"][:-1], mistake["loc"][-1]
            meant = nearest(key, _keys(place))
            missing.discard((*place, meant or ""))
    for mistake in mistakes:
        loc = mistake["loc"]
        message, hint, suggestion = _sentence(mistake, raw, written)
        if mistake["type"] == "missing" and loc not in missing:
            continue
        # Inside a value, the engine decrypts to text; only a whole top-level key can become another type.
        later = _path(loc) in decided_later and (mistake["type"] == UNREADABLE or len(loc) == 1)
        if later:
            message = "is encrypted, so only the engine can read and check it, and reviewers do not see it."
            hint = "Write it in plain text, and encrypt each secret in it separately."
        path = _path(loc)
        if suggestion is not None:
            suggestion = replace(suggestion, field=path + suggestion.field)
        yield Problem(
            customer=_customer(loc, raw, broken),
            field=path,
            message=message,
            hint=hint,
            suggestion=suggestion,
            warning=later,
        )


def _sentence(mistake: ErrorDetails, raw: Mapping[str, Any], written: Written) -> tuple[str, str, Suggestion | None]:
    loc, kind = mistake["loc"], mistake["type"]
    if kind in ("rule", UNREADABLE):
        context = mistake["ctx"]
        return context["message"], context["hint"], context["suggestion"]
    if kind == MISREAD:
        suggestion = quoting(written(_path(loc)))
        return mistake["ctx"]["message"], "" if suggestion else QUOTE_IT, suggestion
    if kind == "missing":
        return "is missing.", _MISSING.get(str(loc[-1]), "").format(path=_path(loc)), None
    if kind == "extra_forbidden":
        known = _keys(loc[:-1])
        return "is not a known key.", f"Known keys: {listed(known)}.", _renaming(loc, raw, known)
    if kind == "model_type":
        return f"must be a mapping, but is {shown(mistake['input'])}.", f"Known keys: {listed(_keys(loc))}.", None
    return f"{mistake['msg']}.", "", None


def _renaming(loc: Location, raw: Mapping[str, Any], known: list[str]) -> Suggestion | None:
    """Suggest the known key nearest to an unknown one."""
    key, meant = str(loc[-1]), nearest(loc[-1], known)
    if meant is None or not _is_shown(key) or "." in key:  # In a path, a dot ends the key.
        return None
    holder: Any = raw
    for part in loc[:-1]:
        holder = holder[part]
    if meant in holder:
        return remove(f"Did you mean `{meant}`? It is already set; remove this line.")
    return Suggestion(action="rename", value=meant, sentence=f"Did you mean `{meant}`?")


def _path(loc: Location) -> str:
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f"{path and '.'}{part if _is_shown(part) else '(a key that is not shown)'}"
    return path


def _is_shown(key: Any) -> bool:
    return isinstance(key, str) and bool(_PLAIN_KEY.fullmatch(key)) and key in quoted(key)


def _customer(loc: Location, raw: Mapping[str, Any], broken: set[Location]) -> str | None:
    """Return the id of the customer at a location, or its position such as "#3"; None outside of customers."""
    if len(loc) < 2 or loc[0] != "customers" or not isinstance(loc[1], int):
        return None
    entry = raw["customers"][loc[1]]
    if isinstance(entry, Mapping) and ("customers", loc[1], "id") not in broken and isinstance(entry.get("id"), str):
        return str(entry["id"])
    return f"#{loc[1] + 1}"


def _keys(loc: Location) -> list[str]:
    """Return the keys that the mapping at a location may have, as in YAML."""
    model: type[BaseModel] = Fleet
    for part in loc:
        if isinstance(part, str):
            field = next(field for name, field in model.model_fields.items() if part in (name, field.alias))
            model = _record(field) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _record(field: FieldInfo) -> type[BaseModel] | None:
    """Return the record type of a field, also if it is optional or in a list; None if it has none."""

    def search(annotation: Any) -> type[BaseModel] | None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
        return next((found for part in get_args(annotation) if (found := search(part))), None)

    return search(field.annotation)


def _claims(raw: Mapping[str, Any], broken: list[Location]) -> Claims:
    """Return the valid parts of an invalid configuration."""

    def fields(*place: int | str) -> frozenset[str]:
        depth = len(place)
        return frozenset(str(loc[depth]) for loc in broken if loc[:depth] == place and len(loc) > depth)

    def part(model: type[R], section: str) -> R | None:
        if any(loc[0] == section for loc in broken) or section not in raw:
            return None
        return model.model_validate(raw[section], by_alias=True, by_name=False)

    def whole(section: str) -> list[tuple[int, Mapping[str, Any]]]:
        listed = raw.get(section)
        entries = enumerate(listed) if isinstance(listed, list | tuple) else ()
        return [(position, entry) for position, entry in entries if isinstance(entry, Mapping)]

    written = raw.get("ssh")
    ssh: Mapping[str, Any] = written if isinstance(written, Mapping) else {}
    sources = ssh.get("sources", ()) if ("ssh", "sources") not in broken else ()
    cloud = raw.get("cloud")
    hosts = [
        Entry("sharedHosts", at, _rest(SharedHost, entry, fields("sharedHosts", at)), fields("sharedHosts", at))
        for at, entry in whole("sharedHosts")
    ]
    hosts_known = ("sharedHosts",) not in broken and all(host.sound("id") for host in hosts)
    return Claims(
        domain=None if ("domain",) in broken else raw.get("domain"),
        local_cloud=isinstance(cloud, Mapping)
        and ("cloud", "endpoint") not in broken
        and is_local(cloud.get("endpoint")),
        acme_email=None if ("acmeEmail",) in broken else raw.get("acmeEmail"),
        public_authority=isinstance(cloud, Mapping) and not {"endpoint", "acme"} & cloud.keys(),
        server=part(ServerDefaults, "server") if "server" in raw else Fleet.model_fields["server"].default,
        ssh_sources=tuple(
            None if ("ssh", "sources", at) in broken else ip_network(source) for at, source in enumerate(sources)
        ),
        ssh_open_to_world=ssh.get("openToWorld") is True,
        rollout=part(Rollout, "rollout") if "rollout" in raw else Fleet.model_fields["rollout"].default,
        plans=part(PlanOverrides, "plans") if "plans" in raw else PlanOverrides(),
        hosts=tuple(hosts) if hosts_known and len(hosts) == len(raw.get("sharedHosts", ())) else None,
        customers=tuple(
            Entry("customers", at, _rest(Customer, entry, fields("customers", at)), fields("customers", at))
            for at, entry in whole("customers")
        ),
    )


def _rest(model: type[R], entry: Mapping[str, Any], broken: frozenset[str]) -> R:
    """Return an entry without its broken fields; required ones get placeholders, which no rule reads."""
    stand_ins: dict[str, Any] = {
        "id": "unknown",
        "plan": "free",
        "anthropicApiKey": Encrypted(),
        "type": "cx23",
        "location": "fsn1",
        "capacity": 1,
    }
    rest = {key: value for key, value in entry.items() if key not in broken}
    rest |= {key: stand_ins[key] for key in broken & stand_ins.keys() if key in _aliases(model)}
    return model.model_validate(rest, by_alias=True, by_name=False)


def _aliases(model: type[Record]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}
