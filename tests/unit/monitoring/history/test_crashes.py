"""Killed in the middle of writing: what was said to be kept is there, what was not is not half there."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from clawdet_infra.monitoring.history import History
from tests.support.frozen_clock import MINUTE, NOON

_WRITER = """
import sys
from datetime import timedelta
from clawdet_infra.monitoring.history import History
from tests.support.frozen_clock import MINUTE, NOON, look
history = History.open(sys.argv[1])
begin = int(sys.argv[2])
for number in range(begin, begin + 10_000):
    history.record([look(NOON + number * MINUTE, instance=f"c{index}") for index in range(200)])
    print(number, flush=True)
    if number % 3 == 0:
        history.aggregate(NOON + number * MINUTE)
"""


def test_a_writer_that_is_killed_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    url, kept = f"sqlite:///{tmp_path}/history.db", 0
    chance = random.Random(4)
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, url, str(kept)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            said = [kept, *(int(writer.stdout.readline()) for _ in range(chance.randint(1, 5)))]
            time.sleep(chance.uniform(0, 0.1))
            writer.kill()
            said += [int(line) for line in writer.stdout if line.endswith("\n")]
        with History.open(url) as history:
            now = NOON + timedelta(days=1)
            counts = {history.latency(f"c{index}", NOON - MINUTE, now).count for index in (0, 99, 199)}
            [count] = counts
            # The round after the last that was said may have been written, but not said any more.
            assert count in (said[-1] + 1, said[-1] + 2)
            assert history.uptime("c7", now).day.healthy == (count - 1) * 60
            history.aggregate(now)
            assert history.latency("c0", NOON - MINUTE, now).count == count
            assert history.uptime("c7", now).day.healthy == (count - 1) * 60
        kept = count
    assert kept >= 12


def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/history.db"
    code = _WRITER.replace("10_000", "30").replace('f"c{index}"', 'f"c{begin}-{index}"')
    writers = [
        subprocess.Popen([sys.executable, "-c", code, url, str(begin)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for begin in (0, 1)
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=120)
        assert writer.returncode == 0, said.decode()
    with History.open(url) as history:
        for begin in (0, 1):
            assert history.latency(f"c{begin}-7", NOON - MINUTE, NOON + timedelta(days=1)).count == 30


@pytest.mark.parametrize("threads", [8])
def test_any_number_of_threads_may_make_the_database(tmp_path: Path, threads: int) -> None:
    failures: list[BaseException] = []

    def make() -> None:
        try:
            History.open(f"sqlite:///{tmp_path}/new/history.db").close()
        except BaseException as error:
            failures.append(error)

    running = [threading.Thread(target=make) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert failures == []
