"""Rules about several parts of a configuration; rules about one value are with the value's type."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import SecretStr

from clawdet_infra.config.claims import Claims, Entry
from clawdet_infra.config.customer import Customer
from clawdet_infra.config.existing_servers import unusable_servers
from clawdet_infra.config.names import LONGEST_DOMAIN, can_be_certified, reserved_part, slug_of, takes_mail
from clawdet_infra.config.networks import AnyNetwork, world_of
from clawdet_infra.config.placement import misplaced
from clawdet_infra.config.plan import PLANS
from clawdet_infra.config.problems import Problem, listed, remove, write
from clawdet_infra.config.secrets import Encrypted, bot_of
from clawdet_infra.config.sizes import oversized

MOST_SOURCES = 100
"""The maximum number of networks in one of Hetzner's firewall rules."""


def broken_rules(claims: Claims) -> list[Problem]:
    """Return all problems that concern more than one value."""
    return [
        *_names(claims),
        *_authority(claims),
        *_shared_tokens(claims),
        *_settings_without_effect(claims),
        *_waves(claims),
        *_ssh(claims),
        *misplaced(claims),
        *unusable_servers(claims),
        *oversized(claims),
    ]


_FOR_EVER = "an id cannot change once it is deployed"


def _names(claims: Claims) -> Iterator[Problem]:
    """Yield ids, subdomains and derived names that two customers, or a customer and a host, would share."""
    told: set[int] = set()
    slugs: dict[str, Entry[Customer]] = {}
    for entry in claims.customers:
        if not entry.sound("id"):
            continue
        first = slugs.setdefault(slug_of(entry.value.id), entry)
        if first is entry:
            continue
        told.add(entry.position)
        if first.value.id == entry.value.id:
            yield entry.problem(
                "id",
                f"'{entry.value.id}' is already the id of {first.path}.",
                "Each customer needs its own id.",
                rival=first,
            )
        else:
            yield entry.problem(
                "id",
                f"'{entry.value.id}' collides with '{first.value.id}' of {first.path}: names of servers and "
                f"directories have hyphens instead of dots, so both would be '{slug_of(entry.value.id)}'.",
                f"Choose another id for the newer one; {_FOR_EVER}.",
                rival=first,
            )
    for host in claims.hosts or ():
        twin = slugs.get(slug_of(host.value.id)) if host.sound("id") else None
        if twin is not None:
            yield host.problem(
                "id",
                f"'{host.value.id}' is also the id of customer {twin.named()}; both name a server.",
                f"Choose another id for the newer one; {_FOR_EVER}.",
                rival=twin,
            )
    yield from _subdomains(claims, told)


def _authority(claims: Claims) -> Iterator[Problem]:
    """Yield names outside the public DNS and contact addresses at them, which a public authority rejects."""
    if not claims.public_authority:
        return
    if claims.domain is not None and not can_be_certified(claims.domain):
        yield Problem(
            field="domain",
            message=f"'{claims.domain}' is not a domain of the public DNS; no public authority certifies its names.",
            hint="Write a domain that you own, or use a local cloud.",
        )
    host = claims.acme_email.rpartition("@")[2] if claims.acme_email is not None else None
    if host is not None and not takes_mail(host, claims.domain or ""):
        yield Problem(
            field="acmeEmail",
            message=f"'{claims.acme_email}' is at a domain that receives no mail; Let's Encrypt refuses the address.",
            hint="Write an address that you read.",
        )


def _subdomains(claims: Claims, told: set[int]) -> Iterator[Problem]:
    """Yield subdomains that are taken, look like another, or lie below another customer's.

    `told` has the positions of customers whose id is already reported; a subdomain equal to it is not reported again.

    A name below another customer's (`x.alice` and `alice`) is rejected: browsers let a host set cookies for the names
    above it, and people would mistake one customer's page for the other's.
    """
    named: list[tuple[Entry[Customer], str, str]] = []
    for entry in claims.customers:
        written = entry.value.subdomain is not None
        if not entry.sound("subdomain") or not (written or entry.sound("id")):
            continue
        if written or entry.position not in told:
            named.append((entry, entry.value.name, "subdomain" if written else "id"))
    by_name: dict[str, Entry[Customer]] = {}
    by_slug: dict[str, Entry[Customer]] = {}
    for entry, name, field in named:
        first = by_name.setdefault(name, entry)
        alike = by_slug.setdefault(slug_of(name), entry)
        if first is not entry:
            yield entry.problem(
                field,
                f"'{name}' is already the subdomain of customer {first.named()}.",
                _other_subdomain(field),
                rival=first,
            )
        elif alike is not entry:
            yield entry.problem(
                field,
                f"'{name}' collides with the subdomain '{alike.value.name}' of customer {alike.named()}: "
                "they differ only in dots and hyphens.",
                _other_subdomain(field),
                rival=alike,
            )
    for entry, name, field in named:
        parts = name.split(".")
        for above in (".".join(parts[cut:]) for cut in range(1, len(parts))):
            owner = by_name.get(above)
            if owner is not None and owner is not entry:
                yield entry.problem(
                    field,
                    f"'{name}' lies below '{above}' of customer {owner.named()}: people could mistake one for the "
                    "other, and this customer could interfere with the other's browser sessions.",
                    "Choose a subdomain that is not below another customer's.",
                    rival=owner,
                )
        if field == "id" and (reserved := reserved_part(name)):
            yield entry.problem(
                field,
                f"'{name}' is also the subdomain, and '{reserved}' is reserved for the company.",
                "Keep the id and give the customer a `subdomain`.",
            )
        if claims.domain and len(name) + 1 + len(claims.domain) > LONGEST_DOMAIN:
            length = len(name) + 1 + len(claims.domain)
            yield entry.problem(
                field,
                f"makes a host name of {length} characters together with the domain; DNS allows {LONGEST_DOMAIN}.",
                "Choose a shorter subdomain." if field == "subdomain" else "Give the customer a shorter `subdomain`.",
            )


def _other_subdomain(field: str) -> str:
    """Return the advice for a taken subdomain; if it is the customer's id, the id stays."""
    return "Choose another subdomain." if field == "subdomain" else "Give the customer another `subdomain`."


def _shared_tokens(claims: Claims) -> Iterator[Problem]:
    """Yield tokens that two customers share, also two tokens of one Telegram bot.

    Customers may share an Anthropic key: it may be the company's own.
    """
    firsts: dict[tuple[str, str], Entry[Customer]] = {}
    why = {
        "gatewayToken": "each could use the other's gateway",
        "telegramBotToken": "Telegram delivers a bot's messages to one reader only",
    }
    for entry in claims.customers:
        tokens = {"gatewayToken": entry.value.gateway_token, "telegramBotToken": entry.value.telegram_bot_token}
        for field, token in tokens.items():
            if not isinstance(token, SecretStr) or isinstance(token, Encrypted) or not entry.sound(field):
                continue
            written = token.get_secret_value()
            same = bot_of(written) if field == "telegramBotToken" else written
            first = firsts.setdefault((field, same), entry)
            if first is not entry and first.value.telegram_bot_token != token and field == "telegramBotToken":
                yield entry.problem(
                    field,
                    f"is a token of the same bot as that of customer {first.named()} (the values are not shown): "
                    f"{why[field]}.",
                    "Give each customer its own bot.",
                    rival=first,
                )
            elif first is not entry:
                yield entry.problem(
                    field,
                    f"is the same as that of customer {first.named()} (the value is not shown): {why[field]}.",
                    "Give each customer its own token.",
                    rival=first,
                )


def _settings_without_effect(claims: Claims) -> Iterator[Problem]:
    """Yield settings that have no effect."""
    for entry in claims.customers:
        customer = entry.value
        if customer.gateway_token is not None and customer.token_version != 1 and entry.sound("gatewayToken"):
            yield entry.problem(
                "tokenVersion",
                "has no effect on a token that is set as `gatewayToken`.",
                "To rotate it, set another `gatewayToken` and remove `tokenVersion`.",
                remove(""),
            )
        if not entry.sound("plan", "release") or customer.release is None:
            continue
        if customer.release.browser is not None and not PLANS[customer.plan].browser:
            message = f"has no effect: the plan {customer.plan} has no browser."
            yield entry.problem("release.browser", message, suggestion=remove())
    for name, plan in PLANS.items():
        override = claims.plans and getattr(claims.plans, name)
        if override and override.browser is not None and not plan.browser:
            field = f"plans.{name}.browser"
            message = f"has no effect: the plan {name} has no browser."
            yield Problem(field=field, message=message, suggestion=remove(field=field))
        if override and override.server is not None and not plan.dedicated:
            yield Problem(
                field=f"plans.{name}.server",
                message=f"has no effect: customers of the plan {name} share hosts.",
                hint="Set the types of shared hosts under `sharedHosts`.",
                suggestion=remove(field=f"plans.{name}.server"),
            )


def _waves(claims: Claims) -> Iterator[Problem]:
    """Yield customers in waves that the rollout does not have."""
    if claims.rollout is None:
        return
    count = len(claims.rollout.waves)
    for entry in claims.customers:
        wave = entry.value.wave
        if wave is not None and wave >= count:
            yield entry.problem(
                "wave",
                f"is {wave}, but the rollout has {count} wave{'s' if count > 1 else ''}, counted from 0.",
                f"Write a number from 0 to {count - 1}, or leave it out." if count > 1 else "Write 0 or leave it out.",
                write(count - 1, ""),
            )


_NARROW = "Name the networks of your operators and runners, or write `openToWorld: true` beside it."


def _open_ssh(source: AnyNetwork) -> str:
    part = "the whole internet" if source.prefixlen == 0 else "a large part of the internet"
    return f"lets {part} try to log in over SSH."


def _ssh(claims: Claims) -> Iterator[Problem]:
    """Yield SSH sources that cover a large part of the internet, unless allowed, and duplicates."""
    sources = claims.ssh_sources
    narrow = [one for one in sources if one is not None and not world_of([one])]
    if not claims.ssh_open_to_world and (together := world_of(narrow)):
        parts = listed([f"'{one}'" for one in together[:3]])
        more = f" and {len(together) - 3} more" if len(together) > 3 else ""
        yield Problem(
            field="ssh.sources",
            message=f"has networks that together are {parts}{more}, and let a large part of the internet try to log "
            "in over SSH.",
            hint=_NARROW,
        )
    for position, source in enumerate(sources):
        if source is None:
            continue
        field = f"ssh.sources[{position}]"
        if not claims.ssh_open_to_world and world_of([source]):
            yield Problem(field=field, message=f"'{source}' {_open_ssh(source)}", hint=_NARROW)
        if source in sources[:position]:
            out = remove("Remove one of them.", field=field)
            yield Problem(field=field, message=f"'{source}' is already in the list.", suggestion=out)
    if len(sources) > MOST_SOURCES:
        yield Problem(
            field="ssh.sources",
            message=f"has {len(sources)} networks; a Hetzner firewall rule accepts at most {MOST_SOURCES}.",
            hint="Merge adjacent networks into larger ones.",
        )
