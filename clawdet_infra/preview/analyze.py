"""Tells what the steps of a preview mean for each customer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from clawdet_infra.engine.owners import Owner, Owners, name_of, type_of
from clawdet_infra.preview.conflicts import refusals
from clawdet_infra.preview.costs import Prices, PricesUnknownError
from clawdet_infra.preview.data_loss import MOST_UNNAMED, Loss, guard, losses
from clawdet_infra.preview.engine_plan import Planned, Step, is_off
from clawdet_infra.preview.field_changes import changes_of, inputs, summary_of, taken_over
from clawdet_infra.preview.interruptions import interruptions
from clawdet_infra.preview.report import (
    AffectedOwner,
    Blocker,
    Change,
    ChangeKind,
    CostDelta,
    LostData,
    StackReport,
    State,
    Verdict,
    order,
)
from clawdet_infra.resources import LOCAL_COMMAND, REMOTE_COMMAND, STACK

_SAME = frozenset({"same", "read", "read-replacement", "refresh", "discard", "discard-replaced"})
_REPLACES = frozenset({"replace", "create-replacement", "delete-replaced", "import-replacement"})
_FIRST = ChangeKind.BROWSER_LIMITS
"""Changes up to this kind stand in the order of their kinds, and those after it by their words."""
_STOPPED = "The engine stopped at what is protected, so this need not be all that would happen."
_TENANT = "all data of the customer on the shared host"


def stack_report(
    stack: str,
    planned: Planned,
    *,
    prices: Prices | str,
    named: Collection[str] = (),
    most: int = MOST_UNNAMED,
    notes: Sequence[str] = (),
) -> StackReport:
    """Return what an update would do to a stack.

    `prices` is a sentence where they are not known.  `named` has what may be lost; see `guard`.
    """
    steps = _once(planned.steps)
    owners = Owners(steps)
    by_owner: dict[Owner, list[Step]] = defaultdict(list)
    for step in steps:
        if type_of(step["urn"]) != STACK and not _is_new_connection(step):
            by_owner[owners.of(step["urn"])].append(step)
    lost = _lost(steps, owners, named)
    bills, unknown = _bills(by_owner, prices)
    subjects = [
        subject
        for owner, its in by_owner.items()
        if (subject := _subject(owner, its, tuple(lost.get(owner, ())), bills.get(owner))) is not None
    ]
    stopped = bool(planned.errors or planned.protected)
    if planned.errors:
        state: State = "misconfigured" if planned.misconfigured else "failed"
    else:
        state = "changed" if subjects or planned.protected else "unchanged"
    return StackReport(
        stack=stack,
        state=state,
        subjects=tuple(sorted(subjects, key=lambda one: (order(one), one.kind, one.id))),
        policies=planned.policies_ran,
        objections=(
            *_violations(planned, owners),
            *_guarded(steps, named, most),
            *_refused(steps),
            *_protected(planned, owners),
        ),
        bill=None if unknown or stopped else sum(bills.values(), CostDelta()),
        bill_unknown=unknown or ("the engine has no whole answer" if stopped else ""),
        currency=prices.currency if isinstance(prices, Prices) else "",
        drifted=_drifted(planned, owners),
        problems=planned.errors if planned.misconfigured else (),
        errors=() if planned.misconfigured else planned.errors,
        notes=(*notes, *([_STOPPED] if planned.protected else [])),
        seconds=planned.seconds,
    )


def _is_new_connection(step: Step) -> bool:
    """Say whether a step is about a plugin's connection that comes or goes with what uses it."""
    return type_of(step["urn"]).startswith("pulumi:providers:") and step["op"] in ("create", "delete")


def _once(steps: Sequence[Step]) -> list[Step]:
    """Return one step a resource: of the three of a replacement the one that has both states."""
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        known = found.setdefault(step["urn"], dict(step))
        if step["op"] in _REPLACES:
            known["op"] = "replace"
        for key in ("oldState", "newState", "diffReasons", "replaceReasons"):
            known[key] = known.get(key) or step.get(key)
        if step["op"] == "create-replacement":
            known["newState"] = step.get("newState")
    return list(found.values())


def _subject(
    owner: Owner, steps: Sequence[Step], lost: tuple[LostData, ...], bill: CostDelta | None
) -> AffectedOwner | None:
    """Return what becomes of an owner; None where nothing does."""
    touched = [step for step in steps if step["op"] not in _SAME]
    real = [step for step in touched if _custom(step)]
    component = next((step for step in touched if name_of(step["urn"]) == owner.id and not _custom(step)), None)
    if not real and (component is None or component["op"] not in ("create", "delete")):
        return None
    verdict: Verdict = "changed"
    if component is not None and component["op"] == "create":
        verdict = "new"
    elif (component is not None and component["op"] == "delete") or _is_leaving(owner, steps):
        verdict = "removed"
    elif owner.kind == "shared" and len(steps) == len(real) == 1:
        verdict = {"create": "new", "delete": "removed", "replace": "replaced"}.get(real[0]["op"], "changed")  # type: ignore[assignment]
    elif lost:
        verdict = "replaced"
    if verdict in ("new", "removed"):
        changes = _described(touched, "newState" if verdict == "new" else "oldState")
    else:
        changes = [change for step in real for change in changes_of(step)]
        changes = _without_repetition(changes) or [Change(what=_fallback(real))]
    return AffectedOwner(
        kind=owner.kind,
        id=owner.id,
        verdict=verdict,
        changes=_in_order(changes),
        interruptions=() if verdict in ("new", "removed") else interruptions(real),
        lost=lost,
        bill=bill,
    )


def _is_leaving(owner: Owner, steps: Sequence[Step]) -> bool:
    """Say whether all that the engine told of a customer or host is deleted, though it stopped before the end."""
    return owner.kind != "shared" and all(step["op"] == "delete" for step in steps)


def _in_order(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return changes once each, what decides most first; the engine's order differs from run to run."""

    def rank(change: Change) -> tuple[int, str]:
        return (change.kind, "") if change.kind <= _FIRST else (ChangeKind.OTHER, str(change))

    return tuple(sorted(dict.fromkeys(changes), key=rank))


def _fallback(steps: Sequence[Step]) -> str:
    """Return something true about steps that nobody has words for."""
    if any(type_of(step["urn"]) == LOCAL_COMMAND for step in steps):
        return "the outside health check runs again"
    return f"{', '.join(sorted(name_of(step['urn']) for step in steps))} changed in what is not shown"


_DESCRIBED = (
    ("plan", "plan", ChangeKind.PLAN),
    ("url", "at", ChangeKind.URL),
    ("gateway", "with", ChangeKind.GATEWAY),
)


def _described(steps: Sequence[Step], which: str) -> list[Change]:
    """Return in a few words what somebody new gets, or who leaves had."""
    told: list[Change] = []
    for step in steps:
        state = inputs(step, which)
        if type_of(step["urn"]) == REMOTE_COMMAND:
            summary = summary_of(state)
            told += [
                Change(what=word, after=summary[key], kind=kind) for key, word, kind in _DESCRIBED if key in summary
            ]
        if passes := taken_over(step):
            told.append(passes)
        if state.get("serverType"):
            what = f"{state['serverType']} in {state.get('location')}"
            told.append(Change(what="server", after=what, kind=ChangeKind.SERVER))
    return told


def _without_repetition(changes: Sequence[Change]) -> list[Change]:
    """Leave out what another change says already: the address is the subdomain's, seen from elsewhere."""
    told = {change.kind for change in changes}
    hidden: set[ChangeKind] = set()
    if ChangeKind.ADDRESS in told:
        # The old address is part of the new one's name, so one of the two is enough.
        hidden |= {ChangeKind.SUBDOMAIN, ChangeKind.NEW_RECORD, ChangeKind.OLD_RECORD}
    if ChangeKind.PLAN in told:
        hidden.add(ChangeKind.RECORD_TARGET)
    return [change for change in changes if change.kind not in hidden]


def _lost(steps: Sequence[Step], owners: Owners, named: Collection[str]) -> dict[Owner, list[LostData]]:
    found: dict[Owner, list[LostData]] = defaultdict(list)
    for loss in losses(steps):
        data, by_design = loss.data, False
        if data is None and _is_tenant(loss, owners):
            data, by_design = _TENANT, True
        if data is not None:
            owner = owners.of(loss.urn)
            allowed = by_design or loss.is_named(named)
            found[owner].append(LostData(sentence=_sentence(loss, data), name=loss.owner_id, allowed=allowed))
    return found


def _is_tenant(loss: Loss, owners: Owners) -> bool:
    state = owners.state(loss.urn)
    return type_of(loss.urn) == REMOTE_COMMAND and bool((state.get("inputs") or {}).get("delete"))


def _moves(loss: Loss) -> bool:
    """Say whether a deployment is deleted of a customer who stays, on another server."""
    return type_of(loss.urn) == REMOTE_COMMAND and loss.data is not None


def _sentence(loss: Loss, data: str) -> str:
    if not loss.replaced:
        elsewhere = ", because the customer gets another server" if _moves(loss) else ""
        return f"{loss.name} is deleted{elsewhere}, with {data}"
    why = f" because of another {', '.join(loss.reasons)}" if loss.reasons else ""
    return f"{loss.name} is deleted and made anew{why}; lost with the old one: {data}"


def _bills(by_owner: Mapping[Owner, Sequence[Step]], prices: Prices | str) -> tuple[dict[Owner, CostDelta], str]:
    """Return the costs of each owner, and a sentence where not all of them are known."""
    if isinstance(prices, str):
        return {}, prices
    bills: dict[Owner, CostDelta] = {}
    try:
        for owner, steps in by_owner.items():
            bills[owner] = sum((_bill(step, prices) for step in steps), CostDelta())
    except PricesUnknownError as error:
        return {}, str(error)
    return bills, ""


def _bill(step: Step, prices: Prices) -> CostDelta:
    before, after = (
        prices.monthly(step["urn"], inputs(step, which)) if inputs(step, which) else Decimal(0)
        for which in ("oldState", "newState")
    )
    return CostDelta(before=before, after=Decimal(0) if step["op"] == "delete" else after)


def _violations(planned: Planned, owners: Owners) -> list[Blocker]:
    found = []
    for one in planned.violations:
        known = one.resource is not None and type_of(one.resource) != STACK and owners.state(one.resource)
        about = (str(owners.of(str(one.resource))),) if known else ()
        found.append(Blocker(rule=one.policy, message=one.message, about=about, mandatory=one.mandatory))
    return found


def _protected(planned: Planned, owners: Owners) -> list[Blocker]:
    return [
        Blocker(
            rule="protected",
            message=f"{name_of(urn)} is protected, so it is neither deleted nor replaced.",
            hint="If that is meant, first set `protect: false` for it and deploy that; then make this change.",
            about=(str(owners.of(urn)),),
        )
        for urn in planned.protected
    ]


def _guarded(steps: Sequence[Step], named: Collection[str], most: int) -> list[Blocker]:
    return [
        Blocker(rule=one.rule, message=one.message, hint=one.hint, about=one.concerns)
        for one in guard(steps, named=named, most=most)
    ]


def _refused(steps: Sequence[Step]) -> list[Blocker]:
    return [Blocker(rule=one.rule, message=one.message, hint=one.hint, about=one.concerns) for one in refusals(steps)]


def _drifted(planned: Planned, owners: Owners) -> tuple[tuple[str, tuple[str, ...]], ...]:
    refreshed = Owners(planned.drift)
    found: dict[str, list[str]] = defaultdict(list)
    for step in planned.drift:
        urn = step["urn"]
        owner = owners.of(urn) if owners.state(urn) else refreshed.of(urn)
        found[str(owner)].append(f"{name_of(urn)} {_how_drifted(step)}")
    return tuple((owner, tuple(dict.fromkeys(names))) for owner, names in sorted(found.items()))


def _how_drifted(step: Step) -> str:
    after = step.get("newState")
    if not after:
        return "is gone"
    return "is off" if is_off(after) else "is not as it was left"


def _custom(step: Step) -> bool:
    return bool((step.get("oldState") or step.get("newState") or {}).get("custom"))
