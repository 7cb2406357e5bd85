"""Brings notices to people by way of apprise, which knows Slack, Telegram, e-mail, webhooks and many more.

URLs of channels hold credentials.  apprise and what is below it log them in places, so their logs go nowhere, and what
they said of a failure is told without any part of the URL.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import apprise

from clawdet_infra.monitoring.alerts.channels import Channel, ChannelsError
from clawdet_infra.monitoring.alerts.notification import Delivery, Kind, Notification, plain
from clawdet_infra.monitoring.alerts.redaction import hide, pieces, silence
from clawdet_infra.monitoring.alerts.truncation import fitted
from clawdet_infra.redaction import Redactor

_TYPES: dict[Kind, apprise.NotifyType] = {
    "raised": apprise.NotifyType.FAILURE,
    "reminder": apprise.NotifyType.WARNING,
    "resolved": apprise.NotifyType.SUCCESS,
    "test": apprise.NotifyType.INFO,
}


@dataclass(frozen=True, kw_only=True)
class SenderPolicy:
    """How hard a notice is tried: seconds that one attempt may take, attempts, and seconds between the first two.

    Each further pause is twice as long as the one before.
    """

    attempt_seconds: float = 15
    attempts: int = 3
    pause_seconds: float = 1


@dataclass
class _Service:
    """A channel as apprise knows it.

    Notices queue at `turn`; `busy` is set while a send is under way, be it one that nobody waits for any more.  What
    is sent to one that is `failing` is tried once, so that a queue does not stand behind it for long.
    """

    name: str
    service: Any
    redact: Redactor
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    busy: threading.Lock = field(default_factory=threading.Lock)
    failing: bool = False


class Sender:
    """Sends notices to all channels at once.

    `redactor` takes the secrets of the fleet out of what is sent, should one have slipped in.  Raises ChannelsError for
    a URL that apprise cannot use.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        redactor: Redactor | None = None,
        policy: SenderPolicy | None = None,
    ) -> None:
        silence()
        self._redact = redactor or Redactor([])
        self._policy = policy or SenderPolicy()
        asset = apprise.AppriseAsset(
            app_id="clawdet",
            app_desc="clawdet",
            app_url="",
            storage_mode=apprise.PersistentStoreMode.MEMORY,
            # Sends are bounded here, in threads that end with the program; apprise's own outlive it.
            service_timeout=0,
            image_url_mask="",
            image_url_logo="",
        )
        self._services = [_service(channel, asset) for channel in channels]

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels."""
        return tuple(one.name for one in self._services)

    async def send(self, notice: Notification, only: Collection[str] | None = None) -> tuple[Delivery, ...]:
        """Send a notice to every channel, or to those named, and return what became of it at each.

        Each gets it as long as its service takes it.  Raises nothing of theirs.
        """
        safe = replace(notice, title=self._redact(notice.title), body=self._redact(notice.body))
        chosen = [one for one in self._services if only is None or one.name in only]
        return tuple(await asyncio.gather(*(self._in_turn(one, safe) for one in chosen)))

    async def _in_turn(self, one: _Service, notice: Notification) -> Delivery:
        async with one.turn:
            fit = fitted(notice, one.service.title_maxlen, one.service.body_maxlen)
            delivery = await self._deliver(one, fit, 1 if one.failing else self._policy.attempts)
            one.failing = not delivery.arrived
            return delivery

    async def _deliver(self, one: _Service, notice: Notification, attempts: int) -> Delivery:
        problem = ""
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(self._policy.pause_seconds * 2 ** (attempt - 1))
            if not one.busy.acquire(blocking=False):
                # It cannot be stopped, and may still arrive; another one beside it could be a second copy.
                return Delivery(one.name, False, problem or "an earlier notice is still on its way")
            try:
                answer = await asyncio.wait_for(_attempt_in_thread(one, notice), self._policy.attempt_seconds)
            except TimeoutError:
                return Delivery(one.name, False, f"no answer within {self._policy.attempt_seconds:g} s")
            if answer is None:
                return Delivery(one.name, True)
            problem = answer
        times = f" ({attempts} attempts)" if attempts > 1 else ""
        return Delivery(one.name, False, f"{problem}{times}")


def _attempt(one: _Service, notice: Notification) -> str | None:
    """Send a notice once, and return why it did not arrive, if so."""
    try:
        caller = apprise.Apprise(asset=one.service.asset)
        caller.add(one.service)
        result = caller.notify(
            body=notice.body,
            title=notice.title,
            notify_type=apprise.NotifyType.INFO if notice.can_wait else _TYPES[notice.kind],
            body_format=apprise.NotifyFormat.TEXT,
            log_level=logging.WARNING,
        )
        said = [entry.message for entry in result.logs()]
    except Exception as error:  # Whatever a channel's plugin does, the others and the round go on.
        return f"apprise failed with {type(error).__name__}"
    if result:
        return None
    return plain(one.redact.line(said[-1])) if said else "apprise could not deliver it and did not say why"


async def _attempt_in_thread(one: _Service, notice: Notification) -> str | None:
    """Do `_attempt` in a thread that neither a hanging channel nor the end of the program has to wait for."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def settle(problem: str | None) -> None:
        if not answer.done():
            answer.set_result(problem)

    def run() -> None:
        try:
            problem = _attempt(one, notice)
        finally:
            one.busy.release()
        with contextlib.suppress(RuntimeError):  # The loop was closed: nobody waits any more.
            loop.call_soon_threadsafe(settle, problem)

    threading.Thread(target=run, name="clawdet-alert", daemon=True).start()
    return await answer


def _service(channel: Channel, asset: apprise.AppriseAsset) -> _Service:
    url = channel.url.get_secret_value()
    hide(url)
    try:
        service = apprise.Apprise.instantiate(url, asset=asset)
    except Exception:  # Its words would hold the URL.
        service = None
    if service is None:
        raise ChannelsError(
            f"the URL of {channel.name} ({_scheme(url)}) is none that apprise can use; "
            "compare it with https://appriseit.com/services/"
        )
    if service.overflow_mode == apprise.OverflowMode.UPSTREAM:
        # Should it be too long all the same: a part of it is better than nothing.
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    return _Service(f"{channel.name} ({service.service_name})", service, Redactor(pieces(url)))


def _scheme(url: str) -> str:
    scheme = url.partition("://")[0].lower()
    # A token that was put in place of the scheme is not shown.
    known = scheme in apprise.plugins.N_MGR or scheme in ("http", "https")
    return f"{scheme}://…" if known else "which begins with no scheme that it knows"
