"""The program ends when nothing of it is under way, and does not wait for what will never end."""

from __future__ import annotations

import asyncio

from clawdet_infra.program import _settled


async def test_it_waits_for_what_others_begin_meanwhile() -> None:
    done: list[str] = []

    async def late() -> None:
        await asyncio.sleep(0.01)
        done.append("late")

    async def early() -> None:
        await asyncio.sleep(0)
        done.append("early")
        begun.add(asyncio.create_task(late()))

    begun = {asyncio.create_task(early())}
    await _settled()
    assert done == ["early", "late"]


async def test_a_failure_ends_the_wait_and_is_left_to_the_sdk() -> None:
    async def fail() -> None:
        raise LookupError("what the SDK will tell of")

    failing, endless = asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(3600))
    async with asyncio.timeout(10):
        await _settled()
    assert not endless.done()
    assert isinstance(failing.exception(), LookupError)
    endless.cancel()


async def test_what_was_cancelled_is_left_to_the_sdk_too() -> None:
    cancelled = asyncio.create_task(asyncio.sleep(3600))
    cancelled.cancel()
    await _settled()
    assert cancelled.cancelled()
