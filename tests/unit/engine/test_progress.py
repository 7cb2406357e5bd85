"""The engine's events, as they are in its log, and how far they say that each customer is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clawdet_infra.engine.owners import Owner
from clawdet_infra.engine.progress import OwnerProgress, Progress
from clawdet_infra.resources import LOCAL_COMMAND, RECORD_SET, REMOTE_COMMAND, SERVER
from tests.unit.engine.engine_events import component, custom, ends, failed, fails, removed, starts, whole


class Heard:
    """A progress at whose clock each event takes a second, and what it tells."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[tuple[float, str, str]] = []
        self.progress = Progress(self._tell, lambda: self.now)

    def _tell(self, current: OwnerProgress, step: str) -> None:
        self.told.append((self.now, current.owner.id, step))

    def __call__(self, *events: Any) -> Heard:
        for one in events:
            self.now += 1
            self.progress(one)
        return self

    def current(self, identity: str) -> OwnerProgress:
        return self.progress.by_owner[Owner("customer", identity)]


def flat(*parts: Iterator[Any]) -> list[Any]:
    return [event for part in parts for event in part]


def test_each_step_of_a_new_customer_is_told_when_it_is_done() -> None:
    heard = Heard()(*whole("ada"))
    assert [(who, step) for _, who, step in heard.told] == [
        ("ada", "server"),
        ("ada", "DNS"),
        ("ada", "deployment"),
        ("ada", "healthy"),
    ]
    current = heard.current("ada")
    assert current.healthy
    assert not current.failed
    assert current.url == "https://ada.clawdet.com"


def test_the_address_is_known_also_where_the_engine_says_it_before_the_first_change() -> None:
    heard = Heard()(
        component("ada", op="same"),
        component("ada", op="same", kind="resOutputsEvent", url="https://ada.clawdet.com"),
        starts("ada", REMOTE_COMMAND, "ada-deployment", op="update"),
        ends("ada", REMOTE_COMMAND, "ada-deployment", op="update"),
    )
    assert heard.current("ada").url == "https://ada.clawdet.com"


def test_the_time_is_that_from_the_first_change_of_the_customer() -> None:
    heard = Heard()(*flat(whole("ada"), whole("bob")))
    assert heard.current("ada").seconds == heard.current("bob").seconds
    assert heard.current("bob").began > heard.current("ada").began


def test_what_is_under_way_is_said() -> None:
    heard = Heard()(component("ada"), starts("ada", SERVER, "ada-server"))
    assert heard.current("ada").doing == "server"
    heard(starts("ada", RECORD_SET, "ada-dns-a"), ends("ada", SERVER, "ada-server"))
    assert heard.current("ada").doing == "DNS", "the record is still being made"
    assert heard.current("ada").ended is None
    heard(ends("ada", RECORD_SET, "ada-dns-a"), starts("ada", REMOTE_COMMAND, "ada-deployment", op="update"))
    assert heard.current("ada").doing == "deploying"
    assert heard.current("ada").ended is None


def test_who_stays_the_same_is_not_told_of() -> None:
    heard = Heard()(*whole("ada", op="same"))
    assert heard.told == []
    assert heard.progress.by_owner == {}


def test_customers_whose_ids_begin_alike_are_told_apart() -> None:
    heard = Heard()(*flat(whole("bob-2"), failed("bob", "error: no")))
    assert heard.current("bob-2").healthy
    assert not heard.current("bob-2").failed
    assert heard.current("bob").error == "no"


def test_a_customer_who_goes_is_known_before_the_engine_says_whose_the_parts_are() -> None:
    heard = Heard()(*removed("ada"))
    assert heard.current("ada").removed
    assert [(who, step) for _, who, step in heard.told] == [("ada", "removed")]


def test_of_a_failed_command_the_reason_is_one_sentence_without_the_name() -> None:
    quoted = "error: Process exited with status 1: running \"# customer: ada\nexec python3 -c '…'\":\n"
    said = f"{quoted}customer ada: probe restarts failed: gateway does not stay up; last answer: none\n"
    heard = Heard()(*failed("ada", said))
    assert heard.current("ada").error == "probe restarts failed: gateway does not stay up; last answer: none"
    assert heard.current("ada").on_server
    assert heard.current("ada").ended is not None
    assert [step for _, _, step in heard.told] == [f"failed: {heard.current('ada').error}"]


def test_the_first_error_is_the_reason() -> None:
    heard = Heard()(*flat(failed("ada", "error: sold out"), failed("ada", "error: something after it")))
    assert heard.current("ada").error == "sold out"
    assert len(heard.told) == 1


def test_a_health_check_that_fails_is_not_the_servers_failure() -> None:
    heard = Heard()(
        component("ada"),
        starts("ada", LOCAL_COMMAND, "ada-health"),
        *fails(
            "ada", LOCAL_COMMAND, "ada-health", "error: exit status 1: running 'x'\ncustomer ada: probe tcp failed\n"
        ),
    )
    assert heard.current("ada").error == "probe tcp failed"
    assert not heard.current("ada").on_server


def test_errors_that_are_nobodys_are_kept_apart_and_hide_what_looks_like_a_secret() -> None:
    heard = Heard()(
        {"diagnosticEvent": {"severity": "error", "message": "error: sk-ant-canary-canary is wrong"}},
        {"diagnosticEvent": {"severity": "error", "message": "error: update failed"}},
        {"diagnosticEvent": {"severity": "warning", "message": "mind this"}},
        {"policyEvent": {"enforcementLevel": "mandatory", "policyName": "ports", "message": "8080 is open"}},
        {"policyEvent": {"enforcementLevel": "advisory", "policyName": "names", "message": "long"}},
        {"preludeEvent": {"config": {}}},
    )
    assert list(heard.progress.errors) == ["[secret] is wrong", "ports: 8080 is open"]
    assert heard.progress.by_owner == {}


def test_providers_and_components_take_no_part() -> None:
    heard = Heard()(
        custom("resourcePreEvent", "pulumi:providers:hcloud", "hetzner", parent=""),
        custom("resOutputsEvent", "pulumi:pulumi:Stack", "clawdet-prod", parent=""),
        component("ada"),
        component("ada", kind="resOutputsEvent"),
    )
    assert heard.progress.by_owner == {}
