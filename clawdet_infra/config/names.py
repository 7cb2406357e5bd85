"""Names: customer and host ids, subdomains, domains, e-mail addresses.

All become host names, so the rules are those of host names (RFC 1123, lower case) plus reserved names.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from clawdet_infra.config.base import Text
from clawdet_infra.config.problems import Suggestion, listed, quoted, write, wrong

LONGEST_LABEL = 63
LONGEST_DOMAIN = 253
LONGEST_ID = 50
"""Names are derived from an id by a suffix (`<id>-data`, `<id>-ipv4`); with 50 each of them fits into a label."""

_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_FORM = "Use a-z, 0-9 and hyphens; begin and end each part with a letter or a digit."
_ANOTHER = "Choose another name, in a-z, 0-9 and hyphens."
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# Stricter than mail: the address is written into the proxies' configuration, whose syntax interprets braces and some
# other characters, also in quotes.
_EMAIL = re.compile(r"(?=[^@]{1,64}@)[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?P<domain>[^@]+)")

_COMPANY = """
about account accounts admin administrator api app apps assets auth billing blog cdn clawdet console dashboard docs
download downloads git help hostmaster id info internal legal localhost login manage metrics monitor monitoring news
oauth office official pay payment payments portal postmaster privacy registry root secure security shop signin signup
sso staff static status store support system terms trust uptime vpn web webmaster www
"""
"""Names that the company serves or may serve, and names that look like the company's."""

_SOFTWARE = """
abuse autoconfig autodiscover broadcasthost dkim dmarc dns email ftp gateway imap isatap kerberos ldap mail
mailer-daemon mta-sts mx noc noreply ns ntp pop pop3 proxy sftp sip smtp spf ssh ssl time tls webmail wpad
"""
"""Names that mail and network software looks up automatically."""

_LOCAL_NAMES = """
alt arpa corp example home internal intranet invalid lan local localdomain localhost mail onion private
"""
_SPECIAL_USE = frozenset(_LOCAL_NAMES.split())
"""Top-level domains that are not in the public DNS, or reserved (RFC 2606, 6761, 6762, ICANN's own list)."""
_FOR_TESTS = "test"
_EXAMPLES = frozenset({"example.com", "example.net", "example.org"})

RESERVED = frozenset(_COMPANY.split()) | frozenset(_SOFTWARE.split())
_RESERVED_NUMBERED = re.compile(r"(?:ns|mx|dns|smtp|mail|www|api|imap|pop)-?[0-9]+")


_CHARACTERS = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a line break", "_": "an underscore"}


def _complain_about_label(label: str, whole: str) -> None:
    """Raise the problem of one label of a name, if any."""
    better = _corrected(whole)
    if not label:
        raise wrong(f"{quoted(whole)} begins or ends with a dot, or has two in a row.", suggestion=better)
    for character in label:
        if not character.isascii():
            name = unicodedata.name(character, "a character without a name").lower()
            raise wrong(
                f"{quoted(whole)} has a character outside a-z, 0-9 and the hyphen: {name}.",
                "Letters of other scripts can look like Latin ones; write the name in a-z.",
                better,
            )
    if label != label.lower():
        raise wrong(f"{quoted(whole)} has upper-case letters.", suggestion=better)
    if others := sorted(set(label) - _ALLOWED):
        named = listed(list(dict.fromkeys(_CHARACTERS.get(one, ascii(one)) for one in others)))
        raise wrong(f"{quoted(whole)} has {named}, which host names do not have.", _FORM, better)
    if len(label) > LONGEST_LABEL:
        raise wrong(f"has a part of {len(label)} characters; DNS allows {LONGEST_LABEL}.", suggestion=better)
    if not _LABEL.fullmatch(label):
        raise wrong(f"{quoted(whole)} is not a host name.", _FORM, better)
    if label[2:4] == "--":
        raise wrong(
            f"{quoted(whole)} has `--` after two characters, which DNS reserves: `xn--` names show letters of other "
            "scripts, and can look like another customer's name.",
            "Choose a name without `--` there.",
            None if label.startswith("xn--") else better,
        )


def _corrected(name: str) -> Suggestion | None:
    """Suggest the host name nearest to a name; None for other scripts than Latin, or if it is the same name."""
    latin = unicodedata.normalize("NFKD", name.strip().casefold())
    plain = "".join(one for one in latin if not unicodedata.combining(one))
    if not plain.isascii():
        return None
    joined = re.sub(r"[^a-z0-9.]+", "-", plain)
    labels = [part.strip("-")[:LONGEST_LABEL].rstrip("-") for part in joined.split(".")]
    better = ".".join(part for part in labels if part)
    return write(better, otherwise=_ANOTHER) if better != name else None


def _check_labels(name: str) -> str:
    if not name:
        raise wrong("is empty.")
    if name != name.strip():
        raise wrong(f"{quoted(name)} begins or ends with white space.", suggestion=_corrected(name))
    if "sk-ant-" in name:
        raise wrong("is an Anthropic API key, not a name (the value is not shown).", "Put it under `anthropicApiKey`.")
    for label in name.split("."):
        _complain_about_label(label, name)
    return name


def _check_id(name: str) -> str:
    _check_labels(name)
    if len(name) > LONGEST_ID:
        raise wrong(
            f"has {len(name)} characters; at most {LONGEST_ID} are allowed.",
            "Names of at most 63 characters are derived from it.",
            write(name[:LONGEST_ID].rstrip("-.")),
        )
    if name == "clawdet" or name.startswith(("clawdet-", "clawdet.")):
        raise wrong(
            f"{quoted(name)} begins with `clawdet`, which is reserved for the fleet's own parts on a server.",
            "Choose an id that begins with another word.",
            write(name[len("clawdet-") :]),
        )
    return name


def reserved_part(name: str) -> str | None:
    """Return the reserved word that a subdomain is or lies below, or None.

    The label next to the domain counts: `alice.api` would be a page below the company's own `api`.
    """
    top = name.rsplit(".", 1)[-1]
    return top if top in RESERVED or _RESERVED_NUMBERED.fullmatch(top) else None


def can_be_certified(domain: str) -> bool:
    """Return whether a public authority can certify names below a domain.

    Names below `test` pass: they are for experiments, and never resolve publicly.
    """
    return domain.rsplit(".", 1)[-1] not in _SPECIAL_USE


def takes_mail(host: str, domain: str) -> bool:
    """Return whether Let's Encrypt accepts a contact address at a host, for certificates of a domain."""
    top = host.rsplit(".", 1)[-1]
    if top in _SPECIAL_USE or any(host == one or host.endswith(f".{one}") for one in _EXAMPLES):
        return False
    return top != _FOR_TESTS or domain.rsplit(".", 1)[-1] == _FOR_TESTS


def _check_subdomain(name: str) -> str:
    _check_labels(name)
    reserved = reserved_part(name)
    if reserved == name:
        raise wrong(f"'{name}' is reserved for the company.", "Choose another subdomain.")
    if reserved:
        raise wrong(
            f"'{name}' lies below '{reserved}', which is reserved for the company.", "Choose another subdomain."
        )
    return name


def _check_domain(name: str) -> str:
    _check_labels(name)
    if "." not in name:
        raise wrong(f"{quoted(name)} is not a domain: it has no dot.", "Write for example `clawdet.com`.")
    if len(name) > LONGEST_DOMAIN:
        raise wrong(f"has {len(name)} characters; DNS allows {LONGEST_DOMAIN}.")
    if name.rsplit(".", 1)[-1].isdigit():
        raise wrong(f"{quoted(name)} ends with a number, so it looks like an IP address.")
    return name


def _check_email(address: str) -> str:
    example = "Write for example `ops@clawdet.com`."
    match = _EMAIL.fullmatch(address)
    if match is None:
        trimmed = write(address.strip()) if _EMAIL.fullmatch(address.strip()) else None
        raise wrong(f"{quoted(address)} is not an e-mail address.", "" if trimmed else example, trimmed)
    try:
        _check_domain(match["domain"])
    except PydanticCustomError as error:
        context: Any = error.context
        better: Suggestion | None = context["suggestion"]
        whole = write(f"{address.partition('@')[0]}@{better.value}", otherwise=example) if better else None
        raise wrong(context["message"], "" if whole else example, whole) from None
    return address


CustomerId = Annotated[Text, AfterValidator(_check_id)]
"""The permanent id of a customer: names of resources, directories and labels are derived from it."""

Subdomain = Annotated[Text, AfterValidator(_check_subdomain)]
"""The part of a customer's host name before the fleet's domain; it may contain dots."""

DomainName = Annotated[Text, AfterValidator(_check_domain)]
"""A domain such as `clawdet.com`, in lower case, without a trailing dot."""

Email = Annotated[Text, AfterValidator(_check_email)]
"""An e-mail address."""


def slug_of(name: str) -> str:
    """Return a name with dots replaced by hyphens, for Compose projects, directories and servers."""
    return name.replace(".", "-")
