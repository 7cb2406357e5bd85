"""Never two repairs at once, of an instance or on a server, whoever begins them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawdet_infra.inventory.observation import Repair, Step
from clawdet_infra.monitoring.history import History, HistoryError, this_process
from clawdet_infra.process_identity import Process
from tests.contract.conftest import differs
from tests.support.examples import examples
from tests.support.frozen_clock import MINUTE, NOON, SetClock

COOLDOWN = 600.0
ME = this_process()


def dead() -> str:
    process = Process.parse(ME)
    assert process is not None
    return str(replace(process, started=1))


def begin(
    history: History,
    instance: str = "ada",
    server: str = "shared-1",
    step: Step = Step.RESTART,
    at: datetime = NOON,
    owner: str = ME,
) -> Repair | None:
    return history.begin_repair(instance, server, step, owner, at, COOLDOWN)


def begun(history: History, **how: object) -> Repair:
    repair = begin(history, **how)  # type: ignore[arg-type]
    assert repair is not None
    return repair


def test_a_repair_of_which_nothing_was_done_is_forgotten(history: History) -> None:
    repair = begun(history)
    history.withdraw_repair(repair.id)
    assert history.open_repairs() == history.repairs("ada", NOON) == []
    again = begun(history, at=NOON)
    history.finish_repair(again.id, "healed", "It answers again.")
    history.withdraw_repair(again.id)
    assert len(history.repairs("ada", NOON)) == 1, "what was done stays"


def test_a_repair_is_open_until_it_is_finished(history: History, clock: SetClock) -> None:
    repair = begun(history)
    assert history.open_repairs() == [repair]
    assert (repair.instance, repair.server, repair.step, repair.owner) == ("ada", "shared-1", Step.RESTART, ME)
    clock.pass_seconds(60)
    history.finish_repair(repair.id, "healed", "It answers again.")
    assert history.open_repairs() == []
    [finished] = history.repairs("ada", NOON)
    assert finished == replace(repair, finished=NOON + MINUTE, outcome="healed", what="It answers again.")
    assert history.repairs("ada", NOON + MINUTE) == []


def test_while_one_is_open_there_is_none_of_the_instance_or_its_server(history: History) -> None:
    begun(history)
    assert begin(history, server="another") is None
    assert begin(history, instance="bob") is None
    assert begin(history, instance="bob", server="another") is not None


def test_after_one_the_instance_is_left_alone_for_the_cooldown(history: History, clock: SetClock) -> None:
    history.finish_repair(begun(history).id, "failed", "")
    assert begin(history, at=NOON + timedelta(seconds=COOLDOWN - 1)) is None
    assert begin(history, instance="bob") is not None, "what one instance needs does not hold up its neighbours"
    history.finish_repair(history.open_repairs()[0].id, "healed", "")
    assert begin(history, at=NOON + timedelta(seconds=COOLDOWN)) is not None


def test_after_a_reboot_all_instances_of_the_server_are_left_alone(history: History) -> None:
    history.finish_repair(begun(history, step=Step.REBOOT).id, "failed", "")
    assert begin(history, instance="bob", at=NOON + MINUTE) is None
    assert begin(history, instance="bob", server="another", at=NOON + MINUTE) is not None


def test_a_clock_set_back_allows_one_repair_and_no_loop(history: History, clock: SetClock) -> None:
    history.finish_repair(begun(history).id, "failed", "")
    assert begin(history, at=NOON - timedelta(seconds=COOLDOWN - 1)) is None
    clock.pass_seconds(-86400)
    yesterday = clock.now()
    history.finish_repair(begun(history, at=yesterday).id, "failed", "")
    assert begin(history, at=yesterday + MINUTE) is None


def test_a_repair_of_a_dead_process_is_given_up_when_its_time_has_run_out(history: History) -> None:
    left = begun(history, owner=dead())
    history.renew_repair(left.id, NOON + 5 * MINUTE)
    assert begin(history, at=NOON + 4 * MINUTE, instance="bob") is None
    assert begin(history, at=NOON + 5 * MINUTE, instance="bob") is not None
    [given_up] = history.repairs("ada", NOON)
    assert given_up.outcome == "abandoned"
    [event] = history.events(kinds=["repair"])
    assert event.instance == "ada"
    assert "did not go on with it" in event.what


def test_a_repair_of_a_process_that_lives_is_never_given_up(history: History) -> None:
    begun(history)
    assert begin(history, at=NOON + timedelta(days=365)) is None, "the clock may merely have jumped"


def test_who_finishes_after_all_is_believed_and_who_says_it_twice_changes_nothing(history: History) -> None:
    left = begun(history, owner="somebody elsewhere")
    second = begun(history, at=NOON + timedelta(hours=1))
    history.finish_repair(left.id, "healed", "It only took long.")
    history.finish_repair(left.id, "failed", "no")
    assert [repair.outcome for repair in history.repairs("ada", NOON)] == ["healed", None]
    with pytest.raises(HistoryError, match="is not open"):
        history.renew_repair(left.id, NOON)
    with pytest.raises(HistoryError, match="no repair 12345"):
        history.finish_repair(12345, "healed", "")
    assert history.open_repairs() == [second]


@differs
def test_the_database_itself_refuses_two_open_repairs(history: History) -> None:
    begun(history)
    copy = (
        "INSERT INTO history_repair (instance, server, step, owner, started_at, expires_at, message) "
        "SELECT {}, {}, step, owner, started_at, expires_at, message FROM history_repair"
    )
    for instance, server in (("instance", "'another'"), ("99", "server")):
        with pytest.raises(HistoryError, match=r"(?i)unique"), history._database.write() as connection:
            connection.exec_driver_sql(copy.format(instance, server))


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ada", "bob", "cyd"]),
            st.sampled_from(["one", "two"]),
            st.sampled_from(Step),
            st.sampled_from(["healed", "failed", "abandoned", None]),
            st.integers(0, 900),
        ),
        max_size=25,
    )
)
def test_whatever_is_asked_for_no_two_are_open_and_none_is_too_soon(
    history: History, clock: SetClock, asked: Sequence[tuple[str, str, Step, str | None, int]]
) -> None:
    for repair in history.open_repairs():
        history.finish_repair(repair.id, "failed", "")
    clock.pass_seconds(86400)
    for instance, server, step, outcome, seconds in asked:
        clock.pass_seconds(seconds)
        before = history.repairs(instance, NOON)
        repair = begin(history, instance, server, step, clock.now())
        if repair is not None:
            ended = [one.finished for one in before if one.finished]
            assert all((clock.now() - at).total_seconds() >= COOLDOWN for at in ended)
        running = history.open_repairs()
        assert len({one.instance for one in running}) == len({one.server for one in running}) == len(running)
        if repair is not None and outcome is not None:
            history.finish_repair(repair.id, outcome, "")  # type: ignore[arg-type]


def test_of_many_threads_one_begins(url: str) -> None:
    with History.open(url) as history:
        barrier = threading.Barrier(8)
        won: list[Repair] = []

        def race(number: int) -> None:
            barrier.wait()
            repair = begin(history, f"c{number % 4}", f"server-{number % 2}")
            if repair is not None:
                won.append(repair)

        threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 2, "one on each of the two servers"
        assert history.open_repairs() == sorted(won, key=lambda one: one.id)


_RACER = """
import sys, datetime
from clawdet_infra.monitoring.history import History, this_process
from clawdet_infra.inventory.observation import Step
history = History.open(sys.argv[1])
print("ready", flush=True)
input()
now = datetime.datetime.now(datetime.UTC)
for number in range(50):
    repair = history.begin_repair(f"c{number}", f"server-{number}", Step.RESTART, this_process(), now, 60)
    if repair is not None:
        print(number, flush=True)
"""


@differs
def test_of_many_processes_one_begins_each(url: str) -> None:
    racers = [
        subprocess.Popen([sys.executable, "-c", _RACER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    won = [int(line) for racer in racers for line in racer.communicate()[0].split()]
    assert sorted(won) == list(range(50)), "each was begun once, and none was lost"
