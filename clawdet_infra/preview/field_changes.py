"""What a step changes, in the words of somebody who knows the fleet and not the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clawdet_infra.engine.owners import is_gateway_secret, labelled, name_of, type_of
from clawdet_infra.engine.state import is_secret
from clawdet_infra.preview.report import Change, ChangeKind
from clawdet_infra.redaction import HIDDEN
from clawdet_infra.resources import (
    FIREWALL,
    LOCAL_COMMAND,
    PASSWORD,
    PLAN_LABEL,
    PROTECT_LABEL,
    RECORD_SET,
    REMOTE_COMMAND,
    REMOTE_COPY,
    SERVER,
)
from clawdet_infra.secret_shapes import redacted

_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes a value that is known only after the update."""

_LONGEST = 120

Step = Mapping[str, Any]


def changes_of(step: Step) -> list[Change]:
    """Return what a step that is no mere grouping changes; nothing where that follows from other steps."""
    kind = type_of(step["urn"])
    made_or_gone = step["op"] in ("create", "delete") and kind not in (PASSWORD, LOCAL_COMMAND, REMOTE_COPY)
    tell = _TELLERS.get(kind, _anything)
    if made_or_gone:
        tell = _made_record if kind == RECORD_SET else _anything
    return list(dict.fromkeys(tell(step)))


def inputs(step: Step, which: str) -> Mapping[str, Any]:
    """Return the inputs of a step's `oldState` or `newState`; nothing where there is no such state."""
    found = (step.get(which) or {}).get("inputs")
    return found if isinstance(found, Mapping) else {}


def summary_of(state: Mapping[str, Any]) -> dict[str, str]:
    """Return what the inputs of a deployment say of it to those who read a preview; see `render.summary`."""
    create = state.get("create")
    lines = create.splitlines() if isinstance(create, str) else []
    pairs = (line[2:].partition(": ") for line in lines if line.startswith("# "))
    return {name: value for name, _, value in pairs}


def shown(value: Any) -> str:
    """Return a value as a reader may see it."""
    if value == _UNKNOWN:
        return "known after the update"
    if is_secret(value):
        return HIDDEN
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return _short(", ".join(shown(one) for one in value)) or "none"
    if isinstance(value, Mapping | list):
        return "another value"
    return _short(redacted(str(value)))


def _deployment(step: Step) -> Iterator[Change]:
    old, new = inputs(step, "oldState"), inputs(step, "newState")
    before, after = summary_of(old), summary_of(new)
    told = list(_summary(before, after))
    yield from told
    files = _changed_files(before, after) - _explained({change.kind for change in told})
    if files:
        yield Change(what=f"templates: {', '.join(sorted(files))}")
    program = "program" in before and before["program"] != after.get("program")
    if program:
        yield Change(what="agent of the server: deployment, watchdog and firewall")
    # The secrets travel with all the rest in one input, so that they alone have changed is known only where nothing
    # else of it has.
    if "stdin" in differing(step) and new.get("stdin") != _UNKNOWN and before == after:
        yield Change(what="secrets changed")
    yield from _others(step, {"create", "stdin", "connection", "delete", "triggers"})


def _changed_files(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Return the names of the files whose content is another one."""
    old, new = (dict(one.split(" ") for one in side.get("files", "").split(", ") if one) for side in (before, after))
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


def _explained(told: set[ChangeKind]) -> set[str]:
    """Return the files that have to change with what is told already."""
    if told & {ChangeKind.PLAN, ChangeKind.ADDRESS}:
        return {"compose.yaml", "Caddyfile", "openclaw.json"}
    return {"compose.yaml"} if told & {ChangeKind.LIMITS, ChangeKind.BROWSER_LIMITS} else set()


def _summary(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for key, (word, kind) in _SUMMARY.items():
        if before.get(key) != after.get(key):
            old, new = before.get(key), after.get(key)
            if key.endswith("image"):
                old, new = _apart(old or "", new or "")
            yield Change(what=word, before=old or "none", after=new or "none", kind=kind)


_SUMMARY = {
    "plan": ("plan", ChangeKind.PLAN),
    "url": ("address", ChangeKind.ADDRESS),
    "gateway": ("limits", ChangeKind.LIMITS),
    "browser": ("browser's limits", ChangeKind.BROWSER_LIMITS),
    "gateway image": ("gateway image", ChangeKind.OTHER),
    "proxy image": ("proxy image", ChangeKind.OTHER),
    "browser image": ("browser image", ChangeKind.OTHER),
}


def _apart(old: str, new: str) -> tuple[str, str]:
    """Return two image references without their digests where their tags tell them apart, else with short ones."""
    (old_tag, _, old_digest), (new_tag, _, new_digest) = old.partition("@"), new.partition("@")
    if old_tag != new_tag:
        return old_tag, new_tag  # Of which one may be empty: there was none, or there is none any more.
    return f"{old_tag}@{old_digest[:19]}", f"{new_tag}@{new_digest[:19]}"


def _server(step: Step) -> Iterator[Change]:
    old, new = inputs(step, "oldState"), inputs(step, "newState")
    for key, (word, kind) in _SERVER.items():
        if old.get(key) != new.get(key):
            yield Change(what=word, before=shown(old.get(key)), after=shown(new.get(key)), kind=kind)
    protected = _protected(step, "oldState"), _protected(step, "newState")
    if protected[0] != protected[1]:
        yield Change(what="protection from deletion", before=shown(protected[0]), after=shown(protected[1]))
    labels = {"labels"} if _only_ours(old.get("labels"), new.get("labels")) else set()
    known = {"serverType", "location", "name", "deleteProtection", "rebuildProtection", *labels}
    yield from _others(step, known)


_SERVER = {
    "serverType": ("server type", ChangeKind.SERVER_TYPE),
    "location": ("location", ChangeKind.LOCATION),
    "name": ("server's name", ChangeKind.OTHER),
}


def _protected(step: Step, which: str) -> bool:
    state = step.get(which) or {}
    return bool(state.get("protect")) or bool(inputs(step, which).get("deleteProtection"))


def _only_ours(old: Any, new: Any) -> bool:
    """Say whether two sets of labels differ in those alone that follow from the plan or the protection."""
    ours = (PLAN_LABEL, PROTECT_LABEL)
    plain = [
        {key: one[key] for key in one if key not in ours} if isinstance(one, Mapping) else one for one in (old, new)
    ]
    return bool(plain[0] == plain[1])


def host_name(step: Step) -> str:
    """Return the host name that a record is of."""
    name = name_of(step["urn"])
    if "/" in name:
        return name.rpartition("/")[0]
    # The name of a record that was last updated before December 2026 does not say it.
    state = inputs(step, "newState") or inputs(step, "oldState")
    return f"{shown(state.get('name'))}.{shown(state.get('zone'))}"


def taken_over(step: Step) -> Change | None:
    """Return what to say of a record that passes from one customer to another; None for any other step."""
    if type_of(step["urn"]) != RECORD_SET:
        return None
    was, now = labelled(step.get("oldState") or {}), labelled(step.get("newState") or {})
    if not was or not now or was == now:
        return None
    return Change(what="takes over", after=f"{host_name(step)} from {was}")


def _made_record(step: Step) -> Iterator[Change]:
    if step["op"] == "create":
        yield Change(what="new DNS record", after=host_name(step), kind=ChangeKind.NEW_RECORD)
    else:
        yield Change(what="DNS record removed:", after=host_name(step), kind=ChangeKind.OLD_RECORD)


def _record(step: Step) -> Iterator[Change]:
    if passes := taken_over(step):
        yield passes
        return
    old, new = inputs(step, "oldState"), inputs(step, "newState")
    if old.get("name") != new.get("name"):
        before, after = shown(old.get("name")), shown(new.get("name"))
        yield Change(what="subdomain", before=before, after=after, kind=ChangeKind.SUBDOMAIN)
    if old.get("ttl") != new.get("ttl"):
        yield Change(what="TTL of the records", before=shown(old.get("ttl")), after=shown(new.get("ttl")))
    if old.get("records") != new.get("records"):
        yield Change(what="DNS records lead to another address", kind=ChangeKind.RECORD_TARGET)
    labels = {"labels"} if _only_ours(old.get("labels"), new.get("labels")) else set()
    yield from _others(step, {"name", "ttl", "records", "changeProtection", *labels})


def _password(step: Step) -> Iterator[Change]:
    name, op = name_of(step["urn"]), step["op"]
    if is_gateway_secret(step["urn"]):
        if op == "create" and name.endswith("-password"):
            yield Change(what="password made independent of the gateway token")
        elif op == "create":
            yield Change(what="gateway token made anew, where one was given before")
        elif op == "delete" and name.endswith("-password"):
            yield Change(what="password derived from the gateway token")
        elif op == "delete":
            yield Change(what="gateway token given, where one was made before")
        else:
            yield _rotated(step)
    elif op in ("create", "delete"):
        yield Change(what=f"{name}: SSH key {'made' if op == 'create' else 'removed'}")
    else:
        yield Change(what=f"{name}: SSH key made anew")


def _rotated(step: Step) -> Change:
    versions = [(inputs(step, which).get("keepers") or {}).get("token_version") for which in ("oldState", "newState")]
    what = "gateway token and password rotated"
    if versions[0] != versions[1] and all(versions):
        return Change(what=f"{what}: version", before=str(versions[0]), after=str(versions[1]))
    return Change(what=what)


def _firewall(step: Step) -> Iterator[Change]:
    old, new = _rules(inputs(step, "oldState")), _rules(inputs(step, "newState"))
    for rule in dict.fromkeys([*old, *new]):
        if old.get(rule) != new.get(rule):
            yield Change(what=f"firewall: {rule} from", before=shown(old.get(rule)), after=shown(new.get(rule)))
    yield from _others(step, {"rules"})


def _rules(state: Mapping[str, Any]) -> dict[str, list[str]]:
    rules = state.get("rules")
    found: dict[str, list[str]] = {}
    for rule in rules if isinstance(rules, list) else ():
        name = f"{rule.get('protocol')} {rule.get('port') or ''}".strip()
        found.setdefault(name, []).extend(sorted(rule.get("sourceIps") or ()))
    return found


def _nothing(step: Step) -> Iterator[Change]:
    del step
    return iter(())


def _anything(step: Step) -> Iterator[Change]:
    yield from _others(step, set())


def _others(step: Step, known: set[str]) -> Iterator[Change]:
    """Tell what nobody has words for by its name in the program."""
    name, op = name_of(step["urn"]), step["op"]
    old, new = inputs(step, "oldState"), inputs(step, "newState")
    if op in ("create", "delete"):
        yield Change(what=f"{name} is {'made' if op == 'create' else 'removed'}")
        return
    for key in sorted(differing(step) - known):
        if key.startswith("__"):
            continue
        if _simple(old.get(key)) and _simple(new.get(key)) and old.get(key) != new.get(key):
            yield Change(what=f"{name}: {key}", before=shown(old.get(key)), after=shown(new.get(key)))
        else:
            yield Change(what=f"{name}: {key} changed")


def differing(step: Step) -> set[str]:
    """Return the top-level properties that a step changes: those that the engine names, else those that differ."""
    named = [*(step.get("diffReasons") or ()), *(step.get("replaceReasons") or ())]
    old, new = inputs(step, "oldState"), inputs(step, "newState")
    # What follows from a change, such as a value that the provider computes, is not one of its own.
    if given := {one.split(".")[0].split("[")[0] for one in named} & {*old, *new}:
        return given
    return {key for key in {*old, *new} if old.get(key) != new.get(key)}


def _simple(value: Any) -> bool:
    return not isinstance(value, Mapping) and not (isinstance(value, list) and any(map(_is_nested, value)))


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping | list)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_TELLERS: Mapping[str, Callable[[Step], Iterator[Change]]] = {
    REMOTE_COMMAND: _deployment,
    # The deployment that uses it tells of another agent.
    REMOTE_COPY: _nothing,
    LOCAL_COMMAND: _nothing,
    SERVER: _server,
    RECORD_SET: _record,
    PASSWORD: _password,
    FIREWALL: _firewall,
}
