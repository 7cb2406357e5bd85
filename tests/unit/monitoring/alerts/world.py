"""A small fleet that falls ill and gets well, and the rounds that look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from clawdet_infra.inventory.observation import Alert, Cause, Condition, Event, State, Window
from clawdet_infra.monitoring.alerts import AlertPolicy, AlertTarget, Decision, Notification, after, decide
from clawdet_infra.monitoring.alerts.evaluate import Streaks

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Patient:
    """One instance: set its fields, and the next round sees them."""

    def __init__(self, name: str, server: str | None = None) -> None:
        self.name = name
        self.server = server or name
        self.condition = Condition.HEALTHY
        self.cause = Cause.GATEWAY_STOPPED
        self.sentence = "The gateway's container has stopped."
        self.whole_server = False
        self.healing = False
        self.done: tuple[str, ...] = ()
        self.last_answer = "HTTP 502"
        self.certificate_days: float | None = 60
        self.not_ready: tuple[str, ...] = ()
        self._since = START
        self._failures = 0
        self._seen = Condition.HEALTHY

    def down(self, cause: Cause = Cause.GATEWAY_STOPPED, *, whole_server: bool = False) -> None:
        self.condition = Condition.DOWN
        self.cause = cause
        self.whole_server = whole_server

    def slow(self) -> None:
        self.condition = Condition.SLOW

    def well(self) -> None:
        self.condition = Condition.HEALTHY

    def look(self, now: datetime) -> AlertTarget:
        if self.condition is not self._seen:
            self._since, self._seen = now, self.condition
        self._failures = self._failures + 1 if self.condition is Condition.DOWN else 0
        ill = self.condition is not Condition.HEALTHY
        state = State(
            instance=self.name,
            server=self.server,
            condition=self.condition,
            since=self._since,
            failures=self._failures,
            observed_at=now,
            cause=self.cause if self.condition is Condition.DOWN else None,
            sentence=self.sentence if ill else "",
        )
        return AlertTarget(
            state=state,
            url=f"https://{self.name}.clawdet.test",
            whole_server=self.whole_server and self.condition is Condition.DOWN,
            done=self.done,
            healing=self.healing,
            last_answer=self.last_answer if ill else "",
            certificate_days=self.certificate_days,
            not_ready=None if self.condition is Condition.DOWN else self.not_ready,
        )


class Ward:
    """Looks at all patients round by round, as the checker does, with people who read every notice."""

    def __init__(self, *patients: Patient, policy: AlertPolicy | None = None) -> None:
        self.patients = {one.name: one for one in patients}
        self.policy = policy or AlertPolicy()
        self.now = START
        self.windows: list[Window] = []
        self.alerts: dict[tuple[str, datetime], Alert] = {}
        self.notices: list[tuple[datetime, Notification]] = []
        self.reachable = True
        self._looks = Streaks()

    def round(self, step: timedelta = MINUTE) -> Decision:
        self.now += step
        subjects = self._looks.count([one.look(self.now) for one in self.patients.values()])
        known = list(self.alerts.values())
        decision = decide(self.now, subjects, known, self.windows, self.policy)
        for alert in decision.changed:
            self._save(alert)
        for notice in decision.notices if self.reachable else ():
            self.notices.append((self.now, notice))
            [alert] = [one for one in self.open if one.key == notice.key]
            self._save(after(notice, alert, self.now))
        return decision

    def rounds(self, count: int, step: timedelta = MINUTE) -> list[Notification]:
        """Make rounds, and return what people were told in them."""
        before = len(self.notices)
        for _ in range(count):
            self.round(step)
        return [notice for _, notice in self.notices[before:]]

    @property
    def open(self) -> list[Alert]:
        return [one for one in self.alerts.values() if one.resolved is None]

    def told(self) -> list[tuple[str, str]]:
        return [(notice.kind, notice.key) for _, notice in self.notices]

    def mute(self, scope: str, duration: timedelta) -> None:
        number = len(self.windows) + 1
        self.windows.append(Window(id=number, scope=scope, begins=self.now, ends=self.now + duration))

    def _save(self, alert: Alert) -> None:
        self.alerts[alert.key, alert.raised] = alert


class Memory:
    """The history as far as alerts use it, in memory."""

    def __init__(self, alerts: Sequence[Alert] = ()) -> None:
        self.kept = {(one.key, one.raised): one for one in alerts}
        self.events: list[Event] = []
        self.planned: list[Window] = []

    def alerts(self, since: datetime) -> list[Alert]:
        return [one for one in self.kept.values() if one.resolved is None or one.resolved >= since]

    def save_alert(self, alert: Alert) -> None:
        self.kept[alert.key, alert.raised] = replace(alert)

    def windows(self, now: datetime) -> list[Window]:
        return [one for one in self.planned if one.ends > now]

    def add(self, event: Event) -> None:
        self.events.append(event)
