"""The SSH host key of a server that is there already, as it shows it."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

from clawdet_infra.automation.errors import InputError
from clawdet_infra.config.problems import quoted

MOST_SECONDS = 60.0
"""As long as a server that has just been rented takes to boot."""
_PAUSE_SECONDS = 1.0


def shown_host_key(address: str, customer: str, *, port: int = 22, seconds: float = MOST_SECONDS) -> str:
    """Return the host key that a server shows, as a line of two words.

    One that does not answer yet is asked again for some `seconds`.  Raises InputError where it shows no key until then.
    """
    import asyncssh

    try:
        # A name would be looked up, and whoever writes it would choose whom this machine calls.
        IPv4Address(address)
    except ValueError:
        raise InputError(f"customer {customer}: {quoted(address)} is not an IPv4 address.", customer) from None

    why: list[Exception] = []

    async def ask() -> str:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    key = await asyncssh.get_server_host_key(address, port, server_host_key_algs=["ssh-ed25519"])
                    return " ".join(key.export_public_key("openssh").decode().split()[:2]) if key else ""
                # While it boots, a server refuses, or hangs up before it has said who it is.
                except (OSError, asyncssh.ConnectionLost) as error:
                    why.append(error)
                    await asyncio.sleep(_PAUSE_SECONDS)

    try:
        shown = asyncio.run(ask())
    except (TimeoutError, asyncssh.Error) as error:
        said = str(error) or (str(why[-1]) if why else f"nothing came for {seconds:.0f} s")
        raise InputError(
            f"customer {customer}: the server {address} does not answer by SSH: {said}.", customer
        ) from None
    if not shown:
        raise InputError(f"customer {customer}: the server {address} shows no ed25519 host key.", customer)
    return shown
