"""Renders each distinct deployment of a fleet, with the code that deploys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from clawdet_infra import render
from clawdet_infra.checks import origin
from clawdet_infra.checks.finding import Finding
from clawdet_infra.checks.samples import sample
from clawdet_infra.config import Fleet, Limits
from clawdet_infra.layout import CustomerLayout, Layout, plan_layout

COMPOSE_FILE = "compose.yaml"
_EDGE = "edge.compose.yaml.j2"
_CLOUD_INIT = "host/cloud-init.yaml.j2"


@dataclass(frozen=True)
class Rendering:
    """One deployment's files by name, without their directories; `concerns` has its plans or customers."""

    template: str
    concerns: str
    files: Mapping[str, str]

    @property
    def edge(self) -> bool:
        """Whether it is a shared host's edge proxy."""
        return self.template == _EDGE

    @property
    def compose(self) -> str | None:
        """The compose file; None for a server's user data."""
        return self.files.get(COMPOSE_FILE)


def of_plans() -> Iterator[Rendering | Finding]:
    """Yield the three plans, the edge proxy and a server's user data, with and without all optional settings."""
    for everything in (False, True):
        layout = sample(everything=everything)
        for customer in layout.customers:
            yield _customer(layout, customer, f"plan {customer.plan.name}", offline=everything)
        yield from _hosts(layout, "edge proxy")
    yield _made(
        _CLOUD_INIT,
        "every server",
        lambda: {"user-data": render.cloud_init(host_key_private="sample\nkey\n", host_key_public="sample key")},
    )


def of_fleet(fleet: Fleet) -> Iterator[Rendering | Finding]:
    """Yield the renderings of a fleet's customers and shared hosts; customers that differ only in names are one.

    Among customers that differ only in limits, those with the minimum and the maximum of each limit are rendered.
    """
    layout = plan_layout(fleet)
    for customer in _distinct(layout.customers):
        yield _customer(layout, customer, f"customer {customer.id}", offline=bool(fleet.cloud.image_prefix))
    yield from _hosts(layout, "shared host")


def _distinct(customers: Iterable[CustomerLayout]) -> Iterator[CustomerLayout]:
    alike: dict[tuple[object, ...], dict[Limits, CustomerLayout]] = {}
    for customer in customers:
        telegram = customer.customer.telegram_bot_token is not None
        images = customer.images
        kind = (customer.plan.name, telegram, images.gateway, images.proxy, images.browser)
        alike.setdefault(kind, {}).setdefault(customer.limits, customer)
    for by_limits in alike.values():
        extremes = {
            choose(by_limits, key=lambda limits, name=name: getattr(limits, name))  # type: ignore[misc]
            for name in Limits.model_fields
            for choose in (min, max)
        }
        yield from (by_limits[limits] for limits in sorted(extremes, key=lambda limits: by_limits[limits].id))


def _customer(layout: Layout, customer: CustomerLayout, concerns: str, *, offline: bool) -> Rendering | Finding:
    def make() -> Mapping[str, str]:
        bundle = render.bundle(
            customer,
            images=customer.images,
            acme=layout.fleet.cloud.acme,
            acme_email=layout.fleet.acme_email,
            offline=offline,
        )
        return _texts(bundle)

    return _made(f"{customer.plan.name}.compose.yaml.j2", concerns, make)


def _hosts(layout: Layout, concerns: str) -> Iterator[Rendering | Finding]:
    # Hosts differ only in their names.
    for host in layout.shared_hosts[:1]:

        def make() -> Mapping[str, str]:
            acme, email = layout.fleet.cloud.acme, layout.fleet.acme_email
            return _texts(render.host_bundle(host, proxy=host.images.proxy, acme=acme, acme_email=email))  # noqa: B023

        yield _made(_EDGE, concerns, make)


def _texts(bundle: render.Bundle) -> Mapping[str, str]:
    return {PurePosixPath(path).name: file.content for path, file in bundle.files.items()}


def _made(template: str, concerns: str, make: Callable[[], Mapping[str, str]]) -> Rendering | Finding:
    try:
        return Rendering(template, concerns, make())
    except Exception as error:  # A template is a program: any exception is a mistake in it.
        (file, line), service = origin.of_error(template, error)
        return Finding(
            rule="templates",
            message=f"cannot be filled: {type(error).__name__}: {error}",
            hint="Check this line of the template, and the values that `clawdet_infra/render` passes to it.",
            service=service,
            file=file,
            line=line,
            concerns=(concerns,),
        )
