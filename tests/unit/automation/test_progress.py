"""The engine's events of one update of a cell, told customer by customer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from clawdet_infra.automation import progress
from clawdet_infra.automation.progress import UpdateProgress
from clawdet_infra.engine.output import Cause, Failure
from clawdet_infra.engine.stages import Passed
from clawdet_infra.error_line import FailureCode, marked
from clawdet_infra.layout import plan_layout
from tests.unit.automation.samples import STACK, base, customer, event, step, urn_of

SERVER, RECORD = "hcloud:index/server:Server", "hcloud:index/zoneRrset:ZoneRrset"
REMOTE, LOCAL = "command:remote:Command", "command:local:Command"
ENDS = {"server": ("-server", SERVER), "DNS": (".clawdet.com/A", RECORD), "deployment": ("-deployment", REMOTE)}
ENDS |= {"healthy": ("-health", LOCAL)}


class Looks:
    """Stands for what looks at servers from outside: keeps which address it was told."""

    started: list[tuple[str, str]]
    ended: int

    def __init__(self, stages: Any, host_name: str, ca_bundle: str | None) -> None:
        self._name = host_name

    def start(self, address: str) -> None:
        Looks.started.append((self._name, address))

    def end(self) -> None:
        Looks.ended += 1


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> type[Looks]:
    Looks.started, Looks.ended = [], 0
    monkeypatch.setattr(progress, "Watch", Looks)
    return Looks


def sentence(follower: UpdateProgress, identity: str) -> str:
    found = follower.why(identity)
    assert found is not None
    return found.sentence


class Followed:
    """A follower of an update of a cell with these customers, and what it tells."""

    def __init__(self, *ids: str, addresses: dict[str, str] | None = None) -> None:
        fleet = base().fleet_with([customer(one) for one in ids], listed=False)
        self.told: list[tuple[str, str, str]] = []
        layouts = plan_layout(fleet, cell="prod-cell-1").customers
        self.follower = UpdateProgress(layouts, self._tell, addresses=addresses or {}, ca_bundle=None)

    def _tell(self, identity: str, passed: Passed) -> None:
        self.told.append((identity, passed.stage, passed.note))

    def __call__(self, *events: EngineEvent) -> Followed:
        for one in events:
            self.follower(one)
        return self


def made(
    identity: str, stage: str, *, op: str = "create", kind: str = "resOutputsEvent", **outputs: Any
) -> EngineEvent:
    end, type_ = ENDS[stage]
    return step(kind, identity, type_, f"{identity}{end}", op=op, **outputs)


def whole(identity: str, op: str = "create") -> Iterator[EngineEvent]:
    """What the engine says of a customer with whom all goes well."""
    yield step("resourcePreEvent", identity, op=op)
    yield step("resOutputsEvent", identity, op=op)
    for stage in ENDS:
        yield made(identity, stage, op=op, kind="resourcePreEvent")
        yield made(identity, stage, op=op)


def failed(identity: str, stage: str, message: str, op: str = "create") -> list[EngineEvent]:
    """What the engine says where a resource cannot be made."""
    end, type_ = ENDS[stage]
    urn = urn_of(identity, type_, f"{identity}{end}")
    return [
        step("resourcePreEvent", identity),
        made(identity, stage, op=op, kind="resourcePreEvent"),
        event("diagnosticEvent", message=message, color="never", severity="error", urn=urn),
        made(identity, stage, op=op, kind="resOpFailedEvent"),
    ]


def test_each_customer_passes_stages_of_its_own() -> None:
    followed = Followed("ada", "bob")(*whole("ada"), step("resourcePreEvent", "bob"), made("bob", "server"))
    assert [(one, stage) for one, stage, _ in followed.told] == [
        *(("ada", stage) for stage in ENDS),
        ("bob", "server"),
    ]
    assert followed.follower.healthy("ada")
    assert not followed.follower.healthy("bob"), "its health check has not passed"


@pytest.mark.parametrize("op", ["update", "same", "create-replacement", "refresh"])
def test_what_is_there_already_or_is_changed_counts(op: str) -> None:
    assert Followed("ada")(*whole("ada", op)).follower.healthy("ada")


@pytest.mark.parametrize("op", ["delete", "delete-replaced", "discard", "read"])
def test_what_is_taken_away_passes_no_stage(op: str) -> None:
    assert Followed("ada")(*whole("ada", op)).told == []


def test_components_do_not_count_since_they_are_registered_before_what_is_in_them() -> None:
    followed = Followed("ada", "ada-health")(
        step("resourcePreEvent", "ada"),
        step("resourcePreEvent", "ada-health"),
        step("resOutputsEvent", "ada"),
        step("resOutputsEvent", "ada-health"),
    )
    assert followed.told == []
    assert not followed.follower.healthy("ada"), "that was another customer's component"


def test_customers_whose_ids_begin_alike_are_told_apart() -> None:
    followed = Followed("bob", "bob-2")(
        *whole("bob-2"), *failed("bob", "deployment", "error: the gateway did not get ready")
    )
    assert {one for one, _, _ in followed.told} == {"bob-2"}
    assert followed.follower.healthy("bob-2")
    assert not followed.follower.failed("bob-2")
    assert sentence(followed.follower, "bob") == "the gateway did not get ready"


def test_a_new_server_is_looked_at_from_outside(looks: type[Looks]) -> None:
    followed = Followed("ada")(step("resourcePreEvent", "ada"), made("ada", "server", ipv4Address="192.0.2.7"))
    assert looks.started == [("ada.clawdet.com", "192.0.2.7")]
    assert followed.told == [("ada", "server", "192.0.2.7")]
    followed.follower.end()
    assert looks.ended == 1


def test_a_server_that_is_there_is_looked_at_from_the_beginning(looks: type[Looks]) -> None:
    followed = Followed("ada", "bob", addresses={"ada": "192.0.2.1", "bob": "192.0.2.1"})
    followed.follower.begin(["ada", "gone"])
    assert looks.started == [("ada.clawdet.com", "192.0.2.1")]
    assert followed.told == [("ada", "queued", "")], "nothing is done about bob, and nobody knows of gone"


def test_a_customer_with_a_failure_is_not_healthy_though_its_old_gateway_is() -> None:
    followed = Followed("ada")(*whole("ada", "same"), *failed("ada", "DNS", "error: the zone is gone", op="update"))
    assert not followed.follower.healthy("ada")


def test_the_first_error_of_a_customer_is_its_reason() -> None:
    followed = Followed("ada", "bob")(
        *failed("ada", "server", "error: 1 error occurred:\n\t* sold out (resource_unavailable)"),
        *failed("ada", "deployment", "error: something after it"),
    )
    assert followed.follower.why("ada") == Failure("sold out (resource_unavailable)", cause=Cause.NO_CAPACITY)
    assert followed.follower.why("bob") is None
    assert not followed.follower.failed("bob")
    assert followed.follower.general == []


def test_of_a_command_the_last_line_is_the_reason() -> None:
    said = "error: Process exited with status 3: running 'python3'\nchecking\nthe registry does not answer\n"
    followed = Followed("ada")(*failed("ada", "deployment", said))
    assert sentence(followed.follower, "ada") == "the registry does not answer"


def test_what_a_server_reports_keeps_its_code() -> None:
    line = marked(FailureCode.NOT_READY, "it does not start")
    said = f"error: Process exited with status 1: running 'python3':\n{line}\n"
    followed = Followed("ada")(*failed("ada", "deployment", said))
    assert followed.follower.why("ada") == Failure("it does not start", FailureCode.NOT_READY)


def test_a_mandatory_policy_refuses_the_update_and_says_whose_resource_it_is() -> None:
    followed = Followed("ada", "bob")(*whole("bob"), *whole("ada"), violation("ada", "mandatory"))
    told = Failure("policy firewalls: it is open", FailureCode.POLICY)
    assert followed.follower.why("ada") == told
    assert followed.follower.general == [told]
    assert followed.follower.why("bob") is None


def test_an_advisory_policy_refuses_nothing() -> None:
    assert Followed("ada")(*whole("ada"), violation("ada", "advisory")).follower.general == []


def violation(identity: str, level: str) -> EngineEvent:
    return event(
        "policyEvent",
        resourceUrn=urn_of(identity, SERVER, f"{identity}-server"),
        message="it is\nopen",
        color="never",
        policyName="firewalls",
        policyPackName="clawdet",
        policyPackVersion="1",
        policyPackVersionTag="1",
        enforcementLevel=level,
    )


def test_errors_that_are_nobodys_are_kept_apart() -> None:
    followed = Followed("ada")(
        event("diagnosticEvent", message="error: the passphrase is wrong", color="never", severity="error"),
        event("diagnosticEvent", message="error: no zone", color="never", severity="error", urn=f"{STACK}::x::y"),
    )
    assert [one.sentence for one in followed.follower.general] == ["the passphrase is wrong", "no zone"]
    assert not followed.follower.failed("ada")


@pytest.mark.parametrize("message", ["update failed", "error: update failed", "error: resource registration failed\n"])
def test_that_something_failed_is_no_reason(message: str) -> None:
    followed = Followed("ada")(event("diagnosticEvent", message=message, color="never", severity="error"))
    assert followed.follower.general == []


def test_warnings_are_no_errors() -> None:
    followed = Followed("ada")(event("diagnosticEvent", message="mind this", color="never", severity="warning"))
    assert followed.follower.general == []


def test_of_customers_who_are_not_in_the_cell_nothing_is_known() -> None:
    followed = Followed("ada")(*whole("zoe"))
    assert followed.told == []
    assert followed.follower.passed("zoe") == []
    assert not followed.follower.healthy("zoe")
