"""Carries out what `decide` says: keeps the alerts in the history, sends the notices, and notes who was told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from clawdet_infra.inventory.observation import Alert, Event, Window
from clawdet_infra.monitoring.alerts.evaluate import Streaks, after, decide
from clawdet_infra.monitoring.alerts.notification import Delivery, Notification
from clawdet_infra.monitoring.alerts.policy import AlertPolicy
from clawdet_infra.monitoring.alerts.target import AlertTarget
from clawdet_infra.probe.faults import located

log = logging.getLogger(__name__)

_OWED_FOR = timedelta(days=1)
"""How long a channel that fails is tried for a notice that other channels took."""


class Store(Protocol):
    """What is needed of the history.  Its methods block, and may be called from any thread."""

    def alerts(self, since: datetime) -> list[Alert]:
        """Return the open alerts, and those that were resolved at or after a moment."""

    def save_alert(self, alert: Alert) -> None:
        """Keep an alert, in place of the one with the same key and moment of raising."""

    def windows(self, now: datetime) -> list[Window]:
        """Return the maintenance windows that are not over."""

    def add(self, event: Event) -> None:
        """Keep an event."""


class Notifier(Protocol):
    """Who brings a notice to people: `Sender`."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels."""

    async def send(self, notice: Notification, only: Collection[str] | None = None) -> tuple[Delivery, ...]:
        """Send a notice to all channels, or to those named, and return what became of it at each."""


@dataclass(frozen=True)
class _Owed:
    """A notice that arrived at some channels, and the names of those at which it has not yet."""

    notice: Notification
    channels: frozenset[str]
    since: datetime


class AlertManager:
    """Where the alerts of one checker are kept and told.

    A notice that no channel took is told again in the next round.  One that some channels took counts as told; the
    others are owed it, and each round sends it to them alone, for a day or until there is a newer one about the same.
    Who is owed what is not known to the next checker, whose reminders go to all channels.  Without channels, alerts are
    kept all the same.
    """

    def __init__(self, store: Store, courier: Notifier, policy: AlertPolicy, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._courier = courier
        self._policy = policy
        self._clock = clock
        self._looks = Streaks()
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._saving = asyncio.Lock()
        self._failing: set[str] = set()
        self._owed: dict[str, _Owed] = {}

    async def round(self, subjects: Sequence[AlertTarget]) -> tuple[Notification, ...]:
        """Decide after a round what to tell people, begin to tell it, and return it.

        `subjects` are all instances of the fleet; their `looks` are counted here.  Does not wait for channels: a notice
        that is still under way is not begun a second time.  Raises what the history raises.
        """
        now = self._clock()
        counted = self._looks.count(subjects)
        async with self._saving:
            alerts = await asyncio.to_thread(self._alerts, now)
            windows = await asyncio.to_thread(self._store.windows, now)
            decision = decide(now, counted, alerts, windows, self._policy)
            for alert in decision.changed:
                if alert.resolved is not None and alert.key in self._sending:
                    # People may be hearing of it right now: then they are to hear of its end as well.
                    continue
                await asyncio.to_thread(self._store.save_alert, alert)
        begun = tuple(notice for notice in decision.notices if notice.key not in self._sending)
        for notice in begun:
            # A newer notice says what the older one would.
            self._owed.pop(notice.key, None)
            self._sending[notice.key] = asyncio.create_task(self._tell(notice, now))
        for key, owed in list(self._owed.items()):
            if now - owed.since > _OWED_FOR:
                del self._owed[key]
            elif key not in self._sending:
                self._sending[key] = asyncio.create_task(self._make_up(owed))
        return begun

    async def settle(self, seconds: float) -> None:
        """Wait for the notices under way, and give those up that take longer than this."""
        if self._sending:
            _, late = await asyncio.wait(self._sending.values(), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _alerts(self, now: datetime) -> list[Alert]:
        """Return the alerts that `decide` has to know."""
        window = self._policy.flap_window
        recent = self._store.alerts(now - window)
        oldest = min((one.raised for one in recent if one.resolved is None), default=now)
        return self._store.alerts(oldest - window) if oldest < now else recent

    async def _tell(self, notice: Notification, now: datetime) -> None:
        try:
            deliveries = await self._courier.send(notice)
            for one in deliveries:
                if not one.arrived:
                    log.warning("alert `%s` did not arrive at %s: %s", notice.title, one.channel, one.problem)
            if not deliveries:
                log.warning("nobody is told of this, for no channel is set up: %s", notice.title)
            async with self._saving:
                await asyncio.to_thread(self._note, notice, deliveries, now)
        except Exception as error:
            # The alert stays untold: the next round tells it again.
            log.error("alert `%s` could not be told: %s", notice.title, located(error))
        finally:
            self._sending.pop(notice.key, None)

    async def _make_up(self, owed: _Owed) -> None:
        """Send a notice to the channels that are owed it."""
        key = owed.notice.key
        try:
            deliveries = await self._courier.send(owed.notice, owed.channels)
            made_up = [one for one in deliveries if one.arrived]
            left = owed.channels - {one.channel for one in made_up}
            if left:
                self._owed[key] = replace(owed, channels=left)
            else:
                del self._owed[key]
            if made_up:
                await asyncio.to_thread(self._store.add, _event(owed.notice, made_up, self._clock()))
        except Exception as error:
            log.error("alert `%s` could not be told: %s", owed.notice.title, located(error))
        finally:
            self._sending.pop(key, None)

    def _note(self, notice: Notification, deliveries: Sequence[Delivery], now: datetime) -> None:
        arrived = [one.channel for one in deliveries if one.arrived]
        if arrived or not deliveries:
            # The alert may have changed since, such as by instances that joined it.
            for alert in self._store.alerts(now):
                if alert.key == notice.key and alert.resolved is None:
                    self._store.save_alert(after(notice, alert, now))
            self._failing.discard(notice.key)
            if missed := frozenset(one.channel for one in deliveries if not one.arrived):
                self._owed[notice.key] = _Owed(notice, missed, now)
        elif notice.key in self._failing:
            # It is tried in every round; one event says that it fails.
            return
        else:
            self._failing.add(notice.key)
        self._store.add(_event(notice, deliveries, now))


def _event(notice: Notification, deliveries: Sequence[Delivery], now: datetime) -> Event:
    """Return the event that people were told; that an alert was raised or resolved, the history notes by itself."""
    _, _, instance = notice.key.partition("instance:")
    arrived = [one.channel for one in deliveries if one.arrived]
    problems = {one.channel: one.problem for one in deliveries if not one.arrived}
    whom = f"told {', '.join(arrived)}" if arrived else "nobody could be told" if problems else "no channel is set up"
    data: Mapping[str, object] = {"key": notice.key, "notice": notice.kind, "arrived": arrived, "problems": problems}
    return Event(at=now, kind="alert", instance=instance or None, what=f"{whom}: {notice.title}", data=data)
