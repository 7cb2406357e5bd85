"""What to tell people after a round, and how the alerts are afterwards.  Pure: no clock, no network, no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from clawdet_infra.inventory.observation import Alert, Cause, Condition, Window
from clawdet_infra.monitoring.alerts import messages
from clawdet_infra.monitoring.alerts.grouping import CERTIFICATES, CHANNELS, FLEET, OF_THE_HEALTHY, Groups, group
from clawdet_infra.monitoring.alerts.notification import Kind, Notification
from clawdet_infra.monitoring.alerts.policy import AlertPolicy
from clawdet_infra.monitoring.alerts.target import AlertTarget


@dataclass(frozen=True)
class Decision:
    """The notices to send, and the alerts to save.

    A notice does not count until somebody took it: `after` says what becomes of its alert then.
    """

    notices: tuple[Notification, ...] = ()
    changed: tuple[Alert, ...] = ()


def decide(
    now: datetime,
    subjects: Sequence[AlertTarget],
    alerts: Iterable[Alert],
    windows: Iterable[Window],
    policy: AlertPolicy,
) -> Decision:
    """Return what to tell people, and the alerts that are new, changed, or over without a word.

    `subjects` are all instances of the fleet: one that is missing was taken out of it.  `alerts` are the open ones and
    those that ended within `policy.flap_window` of now, or of the beginning of an open one.  An alert that people
    are still to be told of, or told is over, yields its notice in every round until `after` was applied.
    """
    return _Round(now, subjects, tuple(alerts), Silences(now, windows), policy).decide()


def after(notice: Notification, alert: Alert, now: datetime) -> Alert:
    """Return an alert after somebody took a notice about it."""
    taken = replace(alert, told=_kept(now), notices=alert.notices + 1)
    return replace(taken, resolved=taken.told) if notice.kind == "resolved" else taken


def _kept(moment: datetime) -> datetime:
    """Return a time as the history keeps it, in whole milliseconds, so that it compares equal when it comes back."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class _Round:
    def __init__(
        self,
        now: datetime,
        subjects: Sequence[AlertTarget],
        alerts: tuple[Alert, ...],
        quiet: Silences,
        policy: AlertPolicy,
    ) -> None:
        self._now = _kept(now)
        self._policy = policy
        self._known = {one.id: one for one in subjects}
        self._alerts = alerts
        self._open = {alert.key: alert for alert in alerts if alert.resolved is None}
        self._held = {key for key, alert in self._open.items() if quiet.holds(alert, self._known)}
        self._awake = [one for one in subjects if not quiet.covers(one)]
        self._notices: list[Notification] = []
        self._changed: list[Alert] = []

    def decide(self) -> Decision:
        groups = group(self._now, self._awake, self._open, self._calm_looks, self._policy)
        for key, alert in self._open.items():
            if key not in groups and key not in self._held:
                self._end(alert, groups)
        for key, members in groups.items():
            self._go_on(key, members)
        return Decision(tuple(self._notices), tuple(self._changed))

    def _go_on(self, key: str, members: Sequence[AlertTarget]) -> None:
        """Raise an alert, or carry an open one on."""
        before = self._open.get(key)
        suffering = key in OF_THE_HEALTHY or any(one.sick for one in members)
        servers = {one.server for one in members}
        alert = Alert(
            key=key,
            # While all recover, what was seen before is what people want to read.
            cause=messages.cause_of(key, members) if suffering or not before else before.cause,
            server=servers.pop() if len(servers) == 1 else "",
            instances=tuple(sorted(one.id for one in members)),
            seen=messages.seen_of(key, members) if suffering or not before else before.seen,
            done=messages.done_of(before.done if before else (), members),
            raised=before.raised if before else self._moment_for(key),
            # Where the clock was set back, reminders are counted from now on.
            told=min(before.told, self._now) if before and before.told else None,
            notices=before.notices if before else 0,
        )
        if alert != before:
            self._changed.append(alert)
        kind = self._due(alert)
        if kind and suffering:
            flapping = self._is_flapping(alert)
            self._notices.append(messages.told(kind, self._now, alert, members, flapping=flapping))

    def _end(self, alert: Alert, groups: Groups) -> None:
        """End an alert: with a notice, unless another alert took its place or nobody was ever told of it."""
        remaining = [one for one in self._awake if one.id in alert.instances and one.sick]
        if alert.told is None or self._is_taken_over(alert, groups):
            self._changed.append(replace(alert, resolved=self._now))
            return
        removed = not any(one in self._known for one in alert.instances)
        self._notices.append(messages.resolved(self._now, alert, remaining, removed=removed))

    def _is_taken_over(self, alert: Alert, groups: Groups) -> bool:
        if alert.key == CHANNELS:
            return False
        if alert.key == FLEET:
            # What is left of it is other trouble: people are told that the large one is over.
            return False
        others = [one for key, members in groups.items() if key not in OF_THE_HEALTHY for one in members]
        if alert.key == CERTIFICATES:
            others = [one for one in others if one.cause is Cause.CERTIFICATE]
        return any(one.id in alert.instances for one in others)

    def _due(self, alert: Alert) -> Kind | None:
        """Return which notice an open alert is due, if any."""
        if alert.told is None:
            return "raised"
        # What can wait is not repeated more often than what has waited long.
        waits = self._policy.reminders[-1:] if alert.key == CHANNELS else self._policy.reminders
        wait = waits[min(max(alert.notices, 1), len(waits)) - 1]
        return "reminder" if self._now - alert.told >= wait else None

    def _calm_looks(self, key: str) -> int:
        alert = self._open.get(key)
        flapping = alert is not None and self._is_flapping(alert)
        return self._policy.flap_success_threshold if flapping else self._policy.success_threshold

    def _is_flapping(self, alert: Alert) -> bool:
        """Whether people had been told shortly before that the same trouble was over.

        An alert that another one took the place of ended without a notice: its last one came before its end.
        """
        return any(
            abs(alert.raised - one.resolved) <= self._policy.flap_window
            for one in self._alerts
            if one.key == alert.key and one.resolved is not None and one.told == one.resolved
        )

    def _moment_for(self, key: str) -> datetime:
        """Return the present, or where the clock was set back the next moment at which no such alert was raised."""
        taken = {one.raised for one in self._alerts if one.key == key}
        moment = self._now
        while moment in taken:
            moment += timedelta(milliseconds=1)
        return moment


class Silences:
    """The maintenance windows that are open at one moment."""

    def __init__(self, now: datetime, windows: Iterable[Window]) -> None:
        self._scopes = {window.scope for window in windows if window.begins <= now < window.ends}

    def covers(self, subject: AlertTarget) -> bool:
        """Whether an instance is being maintained."""
        return self._names(subject.id, subject.server)

    def holds(self, alert: Alert, known: Mapping[str, AlertTarget]) -> bool:
        """Whether all that an alert concerns is being maintained, so that it stays as it is until that is over.

        `known` has all instances by id; those of the alert that are not there count as its server does.
        """
        servers = {one: known[one].server if one in known else alert.server for one in alert.instances}
        if not servers:
            return self._names("", alert.server)
        return all(self._names(instance, server) for instance, server in servers.items())

    def _names(self, instance: str, server: str) -> bool:
        return not self._scopes.isdisjoint({"all", f"server:{server}", f"instance:{instance}"})


class Streaks:
    """Counts the looks in a row that found an instance in its present condition, from round to round.

    What was before its first round is not known and not counted.
    """

    def __init__(self) -> None:
        self._counts: dict[str, tuple[Condition, datetime, int, int]] = {}

    def count(self, subjects: Sequence[AlertTarget]) -> list[AlertTarget]:
        """Return the subjects with their looks counted; one that was not looked at since then keeps its count."""
        counted = [replace(one, looks=self._looks(one), not_ready_looks=self._not_ready_looks(one)) for one in subjects]
        self._counts = {
            one.id: (one.state.condition, one.state.observed_at, one.looks, one.not_ready_looks) for one in counted
        }
        return counted

    def _looks(self, one: AlertTarget) -> int:
        condition, at, looks, _ = self._counts.get(one.id, (None, None, 0, 0))
        if condition is not one.state.condition:
            return 1
        return looks if at == one.state.observed_at else looks + 1

    def _not_ready_looks(self, one: AlertTarget) -> int:
        _, at, _, looks = self._counts.get(one.id, (None, None, 0, 0))
        if one.not_ready is None or at == one.state.observed_at:
            return looks
        return looks + 1 if one.not_ready else 0
