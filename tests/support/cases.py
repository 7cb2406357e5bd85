"""Stack files with one trait each, and the one right verdict on each: by whichever way it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

BASE = """\
config:
  hcloud:token: c1oudT0kenc1oudT0kenc1oudT0kenc1oudT0kenc1oudT0kenc1oudT0kenabcd
  clawdet:domain: clawdet.com
  clawdet:zone: manage
  clawdet:acmeEmail: ops@clawdet.com
  clawdet:release:
    gateway: ghcr.io/openclaw/openclaw:2026.9.6
    proxy: docker.io/library/caddy:2.11.9
    browser: docker.io/chromedp/headless-shell:156.0.8078.79
  clawdet:server:
    image: debian-13
    type: cx23
    location: fsn1
  clawdet:ssh:
    sources: [203.0.113.0/24]
  clawdet:rollout:
    waves: [100]
  clawdet:sharedHosts:
    - id: shared-1
      type: cx43
      location: fsn1
      capacity: 7
  clawdet:customers:
"""
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHJrSmEsAEpu4Fq1J7aGFQ1BhJbGXBCfFBNGHa1DPtL"


@dataclass(frozen=True)
class Case:
    """A stack file. `refused` maps each field that is wrong to a part of the message; a valid file has none.

    `suggested` maps fields to what the advice writes there.
    """

    text: str
    refused: dict[str, str] = field(default_factory=dict)
    suggested: dict[str, object] = field(default_factory=dict)


def _customer(name: str, number: int = 0, *more: str, plan: str = "pro") -> str:
    lines = [
        f"- id: {name}",
        f"  plan: {plan}",
        f"  anthropicApiKey: sk-ant-api03-MadeUpKeyForTryingThings0123456789-{number}AA",
        *(f"  {line}" for line in more),
    ]
    return "".join(f"    {line}\n" for line in lines)


def _fleet(*customers: str, **changes: str) -> str:
    text = BASE
    for old, new in changes.items():
        before = _WAS[old]
        assert before in text
        text = text.replace(before, new)
    return text + "".join(customers or (_customer("ada"),))


_WAS = {
    "image": "debian-13",
    "capacity": "type: cx43\n      location: fsn1\n      capacity: 7",
    "sources": "[203.0.113.0/24]",
    "email": "ops@clawdet.com",
    "domain": "clawdet:domain: clawdet.com",
    "zone": "clawdet:zone: manage",
    "token": "hcloud:token: c1oudT0kenc1oudT0kenc1oudT0kenc1oudT0kenc1oudT0kenc1oudT0kenabcd",
}


def _existing(**fields: str) -> list[str]:
    return ["existingServer:", *(f"  {key}: {value}" for key, value in fields.items())]


def _keys(*keys: str) -> str:
    entries = (_customer(f"k{at}", at) for at in range(len(keys)))
    return "".join(
        entry.replace(f"sk-ant-api03-MadeUpKeyForTryingThings0123456789-{at}AA", key)
        for at, (entry, key) in enumerate(zip(entries, keys, strict=True))
    )


_NO_IMAGE = "is not a supported server image"
_MISREAD = "must be text, but YAML reads it as"
CASES: dict[str, Case] = {
    "base": Case(_fleet()),
    "an id that resembles another's names": Case(
        _fleet(_customer("acme", 0, plan="free"), _customer("acme-trial", 1, plan="free"))
    ),
    "fifteen tenants": Case(
        _fleet(
            *(_customer(f"team-{number:02}", number, plan="free") for number in range(15)),
            capacity="type: cx53\n      location: fsn1\n      capacity: 15",
        )
    ),
    "Ubuntu": Case(_fleet(image="ubuntu-24.04"), {"server.image": _NO_IMAGE}, {"server.image": "debian-13"}),
    "an older Debian": Case(_fleet(image="debian-12"), {"server.image": _NO_IMAGE}, {"server.image": "debian-13"}),
    "Rocky": Case(_fleet(image="rocky-9"), {"server.image": _NO_IMAGE}, {"server.image": "debian-13"}),
    "dates as ids": Case(
        _fleet(_customer("2024-1-5"), _customer("2025-11-3", 1)),
        {"customers[0].id": f"{_MISREAD} a date", "customers[1].id": f"{_MISREAD} a date"},
        {"customers[0].id": "2024-1-5", "customers[1].id": "2025-11-3"},
    ),
    "ids that are no dates": Case(_fleet(_customer("2024-13-45"))),
    "numbers as ids": Case(
        _fleet(
            *(
                _customer(text, number)
                for number, text in enumerate(["0123", "1e5", "0x1f", "0o17", "1_000", "4711", "08", "12.50"])
            )
        ),
        {f"customers[{at}].id": _MISREAD for at in range(8)},
        {
            f"customers[{at}].id": text
            for at, text in enumerate(["0123", "1e5", "0x1f", "0o17", "1-000", "4711", "08", "12.50"])
        },
    ),
    "a number in base 8": Case(
        _fleet(_customer("ada", 0, "limits: {memory: 03000}")),
        {"customers[0].limits.memory": "which YAML reads as the number 1536"},
        {"customers[0].limits.memory": 3000},
    ),
    "a number in base 8 that would do": Case(
        _fleet(_customer("ada", 0, "limits: {memory: 04000}", "server: {type: cx33}")),
        {"customers[0].limits.memory": "which YAML reads as the number 2048"},
        {"customers[0].limits.memory": 4000},
    ),
    "SSH for two halves of the world": Case(
        _fleet(sources="[0.0.0.0/1, 128.0.0.0/1]"),
        {f"ssh.sources[{at}]": "lets a large part of the internet try" for at in range(2)},
    ),
    "an address at example.com": Case(_fleet(email="admin@example.com"), {"acmeEmail": "receives no mail"}),
    "an address in a local network": Case(_fleet(email="ops@clawdet.local"), {"acmeEmail": "receives no mail"}),
    "a local domain": Case(_fleet(domain="clawdet:domain: clawdet.local"), {"domain": "no public authority certifies"}),
    "existing servers that are none": Case(
        _fleet(
            *(
                _customer(f"c{at}", at, *_existing(ipv4=address, hostKey=HOST_KEY))
                for at, address in enumerate(["127.0.0.1", "0.0.0.0", "192.168.1.20", "169.254.169.254", "224.0.0.5"])
            )
        ),
        {
            f"customers[{at}].existingServer.ipv4": meaning
            for at, meaning in enumerate(["machine itself", "no server's", "private", "metadata", "multicast"])
        },
    ),
    "existing servers with a wrong IPv6 address": Case(
        _fleet(
            *(
                _customer(f"c{at}", at, *_existing(ipv4=f"5.75.200.{at + 7}", ipv6=f'"{address}"', hostKey=HOST_KEY))
                for at, address in enumerate(["fe80::1%eth0", "::1", "::ffff:5.75.200.9", "2a01:4f8:c17:abcd::/64"])
            )
        ),
        {
            f"customers[{at}].existingServer.ipv6": meaning
            for at, meaning in enumerate(["has a zone", "machine itself", "form of IPv6", "is not an IPv6 address"])
        },
    ),
    "an RSA host key": Case(
        _fleet(_customer("ada", 0, *_existing(ipv4="5.75.200.7", hostKey=f"ssh-rsa AAAAB3NzaC1yc2E{'A' * 60}"))),
        {"customers[0].existingServer.hostKey": "has the type ssh-rsa"},
    ),
    "a host key that is cut off": Case(
        _fleet(_customer("ada", 0, *_existing(ipv4="5.75.200.7", hostKey=HOST_KEY[:60]))),
        {"customers[0].existingServer.hostKey": "is truncated"},
    ),
    "an empty token beside the variable": Case(_fleet(token='hcloud:token: ""')),
    "API keys that are none": Case(
        _fleet(
            _keys(
                '"sk-ant-api03-MadeUpKeyForTryingThings0123456789\\n"',
                '" sk-ant-api03-MadeUpKeyForTryingThings0123456789"',
                '"sk-ant-api03-$HOME$$x#MadeUpKeyForTrying\'quote\\"0123"',
                "sk-ant-oat01-MadeUpSetupTokenForTrying0123456789",
                "sk-ant-admin01-MadeUpAdminKeyForTrying0123456789",
                "ANTHROPIC_API_KEY=sk-ant-api03-MadeUpKeyForTrying0123",
                "\"'sk-ant-api03-MadeUpKeyForTryingThings0123456789'\"",
                '"sk-ant-api03-MadeUpKey\u2026Trying0123456789"',
                "sk-proj-MadeUpOpenAiKey0123456789abcdef",
                "sk-ant-xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                '"sk-ant-api03-\u2011MadeUpKeyForTryingThings01"',
            )
        ),
        {
            f"customers[{at}].anthropicApiKey": part
            for at, part in (
                (0, "white space"),
                (1, "white space"),
                (2, "odd characters"),
                (4, "an admin key"),
                (5, "does not begin with"),
                (6, "does not begin with"),
                (7, "odd characters"),
                (8, "does not begin with"),
                (9, "a placeholder"),
                (10, "odd characters"),
            )
        },
    ),
    "server types that are none": Case(
        _fleet(
            _customer("ada", 0, "server: {type: cx22}"),
            _customer("bob", 1, "server: {type: cx23, location: ash}"),
            _customer("cid", 2, "server: {type: cpx11, location: fsn1}"),
            _customer("dan", 3, "server: {type: cax11, location: fsn1}"),
            _customer("eve", 4, "server: {location: fsn1-dc14}"),
            _customer("fay", 5, "server: {type: CX33}"),
        ),
        {
            "customers[0].server.type": "no longer sells",
            "customers[1].server": "does not sell cx23 at ash",
            "customers[2].server": "cpx11",
            "customers[4].server.location": "is not a Hetzner location",
            "customers[5].server.type": "is not a known server type",
        },
        {
            "customers[0].server.type": "cx23",
            "customers[4].server.location": "fsn1",
            "customers[5].server.type": "cx33",
        },
    ),
    "two tokens of one Telegram bot": Case(
        _fleet(
            _customer("ada", 0, 'telegramBotToken: "123456789:AAGmadeUpTokenForTheTestsOnly0123456789"'),
            _customer("bob", 1, 'telegramBotToken: "123456789:BBGmadeUpTokenForTheTestsOnly0123456789"'),
        ),
        {"customers[1].telegramBotToken": "is a token of the same bot as that of customer ada"},
    ),
    "a namespace in other letters": Case(
        _fleet(zone="Clawdet:zone: existing"),
        {"Clawdet:zone": "is in the namespace 'Clawdet', which nothing reads"},
        {"Clawdet:zone": "clawdet:zone"},
    ),
    "customers that are encrypted as a whole": Case(
        BASE.replace("  clawdet:customers:\n", "  clawdet:customers: {secure: v1:AAAA:BBBB}\n")
    ),
    "customers from an environment": Case(
        "environment: [clawdet/prod-secrets]\n" + BASE.replace("  clawdet:customers:\n", "")
    ),
}
