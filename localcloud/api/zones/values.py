"""What a record's value may look like, by type, and what names zones and record sets may have."""

from __future__ import annotations

import re

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tokenizer

from localcloud.api.zones.model import APEX

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_ZONE_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_QUOTED_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"(?:[ \t]+"(?:[^"\\]|\\.)*")*', re.DOTALL)
_SECOND_LEVEL = frozenset({"co", "com", "net", "org", "gov", "edu", "ac", "or", "ne", "go", "gv", "mil", "nom"})
MAX_VALUE = 10_000


def zone_name_problem(name: str) -> str | None:
    """Say what is wrong with a zone's name, or None for a good one.

    Hetzner takes names right below a public suffix and no subdomains of them.  Here a suffix is one label, or two
    of the kind `co.uk`; suffixes for testing such as `.test` are taken, too.
    """
    labels = name.split(".")
    if len(name) > 253 or not all(_ZONE_LABEL.fullmatch(label) for label in labels):
        return "must be a domain name in lower case, without a dot at the end"
    suffix = 2 if len(labels) > 1 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 1
    if len(labels) <= suffix:
        return "must be a domain name below a public suffix"
    if len(labels) > suffix + 1:
        return "must not be a subdomain"
    return None


def rrset_name_problem(name: str, zone_name: str) -> str | None:
    """Say what is wrong with a record set's name, or None for a good one."""
    if name == APEX:
        return None
    if name != name.lower():
        return "must be in lower case"
    if name.endswith("."):
        return "must not end with a dot"
    if name == zone_name or name.endswith("." + zone_name):
        return "must not end with the name of the zone"
    labels = name.split(".")
    if labels[0] == "*":
        labels = labels[1:]
    if not all(_LABEL.fullmatch(label) for label in labels):
        return "must be a domain name relative to the zone, or '@' for the zone itself"
    if len(f"{name}.{zone_name}") > 253:
        return "is too long"
    return None


def value_problem(rtype: str, value: str, zone_name: str) -> str | None:
    """Say what is wrong with a record's value, or None for a good one."""
    if not value or len(value) > MAX_VALUE or "\n" in value or "\r" in value or "\0" in value:
        return f"must have 1 to {MAX_VALUE} characters on one line"
    if rtype == "TXT" and not _QUOTED_STRINGS.fullmatch(value):
        return "must be one or more strings in double quotes"
    if value.startswith("\\#"):
        return "must not be in the generic syntax for unknown types"
    if ";" in re.sub(r'"(?:[^"\\]|\\.)*"', "", value):
        return "must not contain a comment"
    try:
        rdata = dns.rdata.from_text(
            dns.rdataclass.IN,
            dns.rdatatype.from_text(rtype),
            value,
            origin=dns.name.from_text(zone_name),
            relativize=False,
        )
    except (dns.exception.DNSException, ValueError, ArithmeticError) as error:
        return f"is not a valid {rtype} record: {error or type(error).__name__}"
    if isinstance(rdata, dns.rdata.GenericRdata):
        return f"is not a valid {rtype} record"
    return None
