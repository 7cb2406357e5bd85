"""The resources of a real fleet, as the engine would show them to policies."""

from __future__ import annotations

import base64
import bz2
import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import yaml
from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import unknown_checking_proxy

from clawdet_infra.program import declare
from tests.components.fleets import fleet
from tests.components.recording import Recorder, run

CLOUD_TOKEN = "a1" * 32
_PARENTS = {
    "command:remote:Command": "clawdet:index:Customer$",
    "hcloud:index/server:Server": "clawdet:index:Customer$",
}


@dataclass(frozen=True)
class Shown:
    """One resource with its inputs and outputs, in plain values; secrets among them, as the engine hands them over."""

    kind: str
    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    protect: bool = True
    secret_outputs: tuple[str, ...] = ("userData",)
    provider: Mapping[str, Any] = field(default_factory=lambda: {"token": CLOUD_TOKEN})

    @property
    def urn(self) -> str:
        return f"urn:pulumi:test::clawdet::{_PARENTS.get(self.kind, '')}{self.kind}::{self.name}"

    def having(self, **properties: Any) -> Shown:
        """The same with other properties, as inputs and as outputs."""
        return replace(self, inputs={**self.inputs, **properties}, outputs={**self.outputs, **properties})

    def labelled(self, **labels: str) -> Shown:
        given = {key.replace("_", "-"): value for key, value in labels.items()}
        return self.having(labels={**self.inputs.get("labels", {}), **given})

    def with_compose(self, change: Callable[[dict[str, Any]], None]) -> Shown:
        """A deployment with its compose file changed."""
        outer = json.loads(self.inputs["stdin"])
        inner = json.loads(bz2.decompress(base64.b85decode(outer["packed"])))
        content = yaml.safe_load(inner["files"]["compose.yaml"]["content"])
        change(content)
        inner["files"]["compose.yaml"]["content"] = yaml.safe_dump(content)
        outer["packed"] = base64.b85encode(bz2.compress(json.dumps(inner).encode())).decode()
        return self.having(stdin=json.dumps(outer))


def with_service(shown: Shown, name: str, **settings: Any) -> Shown:
    """A deployment with other settings of one service; None takes a setting away."""

    def change(content: dict[str, Any]) -> None:
        service = content["services"][name]
        service.update(settings)
        for key in [key for key, value in settings.items() if value is None]:
            del service[key]

    return shown.with_compose(change)


@cache
def _recorded() -> Recorder:
    return run(lambda: declare(fleet()) and None)[0]


def fleet_resources() -> dict[str, Shown]:
    """All resources of the example fleet by logical name, as the program declares them."""
    answers = Recorder()
    shown = {}
    for args in _recorded().resources.values():
        inputs = _plain(args.inputs)
        outputs = {**inputs, **_plain(answers.new_resource(args)[1])}
        # A command has the name of the component around it; what is real is the inner one.
        if args.custom and ":" in args.typ:
            shown[args.name] = Shown(args.typ, args.name, inputs, outputs)
    return shown


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return (
            _plain(value["value"])
            if "4dabf18193072939515e22adb298388d" in value
            else {key: _plain(part) for key, part in value.items()}
        )
    return [_plain(part) for part in value] if isinstance(value, list) else copy.copy(value)


def _options(shown: Shown) -> PolicyResourceOptions:
    return PolicyResourceOptions(
        shown.protect, [], None, [], PolicyCustomTimeouts(0, 0, 0), list(shown.secret_outputs), None
    )


def _provider(shown: Shown) -> PolicyProviderResource:
    kind = f"pulumi:providers:{shown.kind.partition(':')[0]}"
    return PolicyProviderResource(kind, unknown_checking_proxy(dict(shown.provider)), "urn", "provider")


def messages(policy: ResourceValidationPolicy, *shown: Shown) -> list[str]:
    """What a policy says of resources, each looked at by itself."""
    told: list[str] = []
    for one in shown:
        props = unknown_checking_proxy(dict(one.inputs))
        args = ResourceValidationArgs(one.kind, props, one.urn, one.name, _options(one), _provider(one))
        policy.validate(args, lambda message, _=None: told.append(message))
    return told


def stack_messages(policy: StackValidationPolicy, shown: Iterable[Shown]) -> list[str]:
    """What a policy says of resources that are looked at together."""
    told: list[str] = []
    resources = [
        PolicyResource(
            one.kind,
            unknown_checking_proxy(dict(one.outputs)),
            one.urn,
            one.name,
            _options(one),
            _provider(one),
            None,
            [],
            {},
        )
        for one in shown
    ]
    policy.validate(StackValidationArgs(resources), lambda message, _=None: told.append(message))
    return told
