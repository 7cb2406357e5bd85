"""How an alert is put into words: what was seen, since when, what was done, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from clawdet_infra.agent.readiness import sentence
from clawdet_infra.formatting.durations import describe
from clawdet_infra.inventory.observation import Alert, Cause, Condition
from clawdet_infra.monitoring.alerts.grouping import CERTIFICATES, CHANNELS, FLEET, OF_THE_HEALTHY
from clawdet_infra.monitoring.alerts.notification import Kind, Notification, moment, plain
from clawdet_infra.monitoring.alerts.target import AlertTarget
from clawdet_infra.monitoring.alerts.truncation import ENTRY

LISTED = 20
"""How many instances a notice names at most."""


def cause_of(key: str, members: Sequence[AlertTarget]) -> Cause:
    """Return the cause that an alert names: one that concerns a whole server first, else the most frequent."""
    if key == CERTIFICATES:
        return Cause.CERTIFICATE
    if key == CHANNELS:
        return Cause.CHANNEL
    sick = [one for one in members if one.sick] or members
    whole = [one.cause for one in sick if one.whole_server]
    return Counter(whole or [one.cause for one in sick]).most_common(1)[0][0]


def seen_of(key: str, members: Sequence[AlertTarget]) -> str:
    """Return what was seen, in a sentence."""
    if key == CERTIFICATES:
        days = min((one.certificate_days for one in members if one.certificate_days is not None), default=None)
        ending = "expire soon" if days is None else f"expire soon, the first in {max(0, int(days))} days"
        return f"The certificates of {_count(len(members), 'customer')} {ending}."
    if key == CHANNELS:
        names = Counter(name for one in members for name in one.not_ready or ())
        which = f": {', '.join(name for name, _ in names.most_common(5))}" if names else ""
        return f"The gateways of {_count(len(members), 'customer')} serve, but channels of them are not ready{which}."
    if key == FLEET:
        servers = len({one.server for one in members})
        return f"{_count(len(members), 'customer')} on {_count(servers, 'server')} are not well at the same time."
    sick = [one for one in members if one.sick] or members
    cause = cause_of(key, members)
    first = next((one for one in sick if one.cause is cause and one.whole_server), None)
    first = first or next((one for one in sick if one.cause is cause), sick[0])
    return plain(first.state.sentence) or f"It is {first.state.condition.value}."


def done_of(before: Sequence[str], members: Sequence[AlertTarget]) -> tuple[str, ...]:
    """Return what was done, each sentence once; what was known before where nothing is said now."""
    now = dict.fromkeys(plain(what) for one in members for what in one.done)
    return tuple(now)[-10:] if now else tuple(before)


def told(kind: Kind, now: datetime, alert: Alert, members: Sequence[AlertTarget], *, flapping: bool) -> Notification:
    """Return the notice of an alert that is raised, or that people are reminded of."""
    still = "Still: " if kind == "reminder" else ""
    again = ", and not for the first time within the hour (flapping)" if flapping else ""
    lines = [*_whom(alert, members), f"Seen: {alert.seen}"]
    answers = list(dict.fromkeys(plain(one.last_answer) for one in members if one.sick and one.last_answer))
    lines += [f"Last answer: {answers[0]}"] if answers and alert.key != FLEET else []
    if alert.key not in OF_THE_HEALTHY:
        since = min((one.state.since for one in members if one.sick), default=alert.raised)
        lines.append(f"Since: {moment(since)} ({describe(now - since, smallest='min')})")
    lines += [f"Done: {' '.join(alert.done) or 'nothing.'}", f"Next: {_next(alert, members)}"]
    if flapping:
        lines.append("It comes and goes: this alert stays open until it has been healthy for a while.")
    title = f"[clawdet] {still}{_headline(alert, members)}{again}"
    return Notification(kind=kind, title=title, body="\n".join(lines), key=alert.key, can_wait=alert.key == CHANNELS)


def resolved(now: datetime, alert: Alert, remaining: Sequence[AlertTarget], *, removed: bool) -> Notification:
    """Return the notice that an alert is over.  `remaining` are those that it concerned and that are still not well."""
    lasted = describe(now - alert.raised, smallest="min")
    what = _over(alert, removed=removed)
    lines = [
        *([f"Server: {plain(alert.server)}"] if alert.server else []),
        f"Customers: {_listed([plain(one) for one in alert.instances])}",
        f"It was: {alert.seen}",
        f"Alert raised: {moment(alert.raised)}; it lasted {lasted}.",
        f"Done: {' '.join(alert.done) or 'nothing.'}",
    ]
    if remaining:
        lines.append(f"Still not well: {_listed([one.id for one in remaining])}; these get alerts of their own.")
    title = f"[clawdet] Resolved: {what} after {lasted}"
    return Notification(
        kind="resolved", title=title, body="\n".join(lines), key=alert.key, can_wait=alert.key == CHANNELS
    )


def _headline(alert: Alert, members: Sequence[AlertTarget]) -> str:
    if alert.key == CERTIFICATES:
        return f"certificates of {_count(len(members), 'customer')} expire soon"
    if alert.key == CHANNELS:
        return f"channels of {_count(len(members), 'customer')} are not ready"
    if alert.key == FLEET:
        servers = len({one.server for one in members})
        return f"{_count(servers, 'server')} at once: look at the checker's own network first"
    sick = [one for one in members if one.sick]
    word = _word(sick)
    if alert.key.startswith("server:"):
        names = _listed([one.id for one in sick or members], 3)
        return f"server {plain(alert.server)}: {_count(len(sick or members), 'customer')} {word} ({names})"
    return f"{members[0].id} is {word}"


def _word(sick: Sequence[AlertTarget]) -> str:
    if not sick:
        return "recovering"
    return "down" if any(one.state.condition is Condition.DOWN for one in sick) else "slow"


def _over(alert: Alert, *, removed: bool) -> str:
    if alert.key == CERTIFICATES:
        return "no certificate expires soon any more"
    if alert.key == CHANNELS:
        return "all channels are ready again"
    if alert.key == FLEET:
        return "most of the fleet answers again"
    subject = f"server {plain(alert.server)}" if alert.key.startswith("server:") else plain(", ".join(alert.instances))
    return f"{subject} is no longer in the fleet" if removed else f"{subject} is healthy again"


def _whom(alert: Alert, members: Sequence[AlertTarget]) -> list[str]:
    if alert.key.startswith("instance:"):
        [one] = members
        return [f"Customer: {one.id} ({one.url})", f"Server: {plain(one.server)}"]
    lines = [f"Server: {plain(alert.server)}"] if alert.server else []
    lines.append(f"Customers ({len(members)}):")
    for one in members[:LISTED]:
        place = "" if alert.server else f", server {plain(one.server)}"
        lines.append(f"{ENTRY}{one.id} ({one.url}){place}: {_state(alert, one)}")
    if len(members) > LISTED:
        lines.append(f"{ENTRY}and {len(members) - LISTED} more")
    return lines


def _state(alert: Alert, one: AlertTarget) -> str:
    if alert.key == CERTIFICATES:
        return "not known" if one.certificate_days is None else f"{max(0, int(one.certificate_days))} days left"
    if alert.key == CHANNELS:
        return plain(sentence(one.not_ready or ())) or "not known"
    if not one.sick:
        return "healthy again"
    return f"{one.state.condition.value} since {moment(one.state.since)}"


def _next(alert: Alert, members: Sequence[AlertTarget]) -> str:
    if alert.key == CHANNELS:
        return "ask the customers whether their channels' tokens are right; many at once point to the service itself"
    if alert.key == FLEET:
        return "look at the network and the DNS of the machine that checks, then run: clawdet health --all"
    if len(members) > 1:
        return f"run: clawdet health {' '.join(one.id for one in members[:LISTED])}"
    return f"run: clawdet show {members[0].id} --live"


def _listed(names: Sequence[str], most: int = LISTED) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
