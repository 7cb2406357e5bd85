"""Special-purpose addresses, which an existing server must not have.

The fleet's key logs in there as root, so addresses of this machine, of private networks and of a provider's metadata
service are rejected.  The tables follow IANA's registries of special-purpose addresses; Python's `is_global` differs
between versions, and includes multicast.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

AnyAddress = IPv4Address | IPv6Address

PRIVATE = "a private address"
_SPECIAL4 = {
    "0.0.0.0/8": "no server's address",
    "10.0.0.0/8": PRIVATE,
    "100.64.0.0/10": "an address behind a provider's NAT",
    "127.0.0.0/8": "the address of the machine itself",
    "169.254.0.0/16": "a link-local address, such as that of the provider's metadata service",
    "172.16.0.0/12": PRIVATE,
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "reserved for documentation",
    "192.88.99.0/24": "reserved for protocols",
    "192.168.0.0/16": PRIVATE,
    "198.18.0.0/15": "reserved for measurements",
    "198.51.100.0/24": "reserved for documentation",
    "203.0.113.0/24": "reserved for documentation",
    "224.0.0.0/4": "a multicast address",
    "240.0.0.0/4": "reserved",
}
_SPECIAL6 = {
    "::/128": "no server's address",
    "::1/128": "the address of the machine itself",
    "::ffff:0:0/96": "an IPv4 address in the form of IPv6",
    "64:ff9b::/96": "an IPv4 address in the form of IPv6",
    "2001::/23": "reserved for protocols",
    "2001:db8::/32": "reserved for documentation",
    "2002::/16": "an IPv4 address in the form of IPv6",
    "3fff::/20": "reserved for documentation",
    "fc00::/7": PRIVATE,
    "fe80::/10": "a link-local address",
    "ff00::/8": "a multicast address",
}
_NETWORKS4 = [(IPv4Network(network), meaning) for network, meaning in _SPECIAL4.items()]
_NETWORKS6 = [(IPv6Network(network), meaning) for network, meaning in _SPECIAL6.items()]
_PUBLIC6 = IPv6Network("2000::/3")


def special_meaning(address: AnyAddress) -> str | None:
    """Return what a special-purpose address is, such as "a private address"; None for a public one."""
    if isinstance(address, IPv4Address):
        return next((meaning for network, meaning in _NETWORKS4 if address in network), None)
    special = next((meaning for network, meaning in _NETWORKS6 if address in network), None)
    return special or (None if address in _PUBLIC6 else "reserved")
