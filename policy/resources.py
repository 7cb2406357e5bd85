"""The resources as policies see them: plain values, without those that a preview does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_policy import (
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from clawdet_infra.resources import ID_LABEL, REMOTE_COMMAND, ROLE_LABEL


@dataclass(frozen=True)
class Resource:
    """A declared resource.

    `kind` is its type token, `name` its logical name, `properties` its known inputs (for policies of the whole stack:
    its known outputs).  Secrets in them are plain text, so messages must not contain them.  `provider` has the inputs
    of its provider.
    """

    kind: str
    name: str
    urn: str
    properties: Mapping[str, Any]
    protect: bool
    secret_outputs: tuple[str, ...]
    provider: Mapping[str, Any]

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels at Hetzner; empty if it has none."""
        labels = self.properties.get("labels")
        return labels if isinstance(labels, Mapping) else {}

    @property
    def owner(self) -> str | None:
        """The customer or shared host that owns it, in words, from its labels; None if they have neither."""
        role, name = self.labels.get(ROLE_LABEL), self.labels.get(ID_LABEL)
        return f"{role.replace('-', ' ')} {name}" if role and name else None

    @property
    def place(self) -> str:
        """The resource's name for messages: its owner, and its name in the program."""
        return f"{self.owner}, resource {self.name}" if self.owner else f"resource {self.name}"

    @property
    def is_deployment(self) -> bool:
        """Whether this is the command of a deployment on a server."""
        return self.kind == REMOTE_COMMAND


Rule = Callable[[Resource], Iterator[str]]
StackRule = Callable[[Sequence[Resource]], Iterator[tuple[Resource, str]]]


def of_each(name: str, description: str, kinds: tuple[str, ...], rule: Rule) -> ResourceValidationPolicy:
    """Return the policy that checks a rule for each resource whose type begins with one of `kinds`.

    The rule yields a message for each violation.
    """

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type.startswith(kinds):
            for message in rule(_resource(args)):
                report(message, None)

    return ResourceValidationPolicy(name, description, validate)


def of_stack(name: str, description: str, rule: StackRule) -> StackValidationPolicy:
    """Return the policy that checks a rule for all resources of a stack together."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for resource, message in rule([_resource(one) for one in args.resources]):
            report(message, resource.urn)

    return StackValidationPolicy(name, description, validate)


def _resource(args: ResourceValidationArgs | PolicyResource) -> Resource:
    return Resource(
        kind=args.resource_type,
        name=args.name,
        urn=args.urn,
        properties=known(args.props),
        protect=args.opts.protect,
        secret_outputs=tuple(args.opts.additional_secret_outputs),
        provider=known(args.provider.props) if args.provider else {},
    )


def known(value: Any) -> Any:
    """Return a value of the policy SDK as plain dicts and lists, without the parts that a preview does not know."""
    if isinstance(value, Mapping):
        return {key: part for key in value for part in _part(value, key)}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [part for position in range(len(value)) for part in _part(value, position)]
    return value


def _part(value: Any, key: Any) -> list[Any]:
    """Return the value at a key, in a list; an empty list if it is not known yet."""
    try:
        return [known(value[key])]
    except UnknownValueError:
        return []
