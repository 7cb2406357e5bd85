"""Asks registries which digest a tag has right now, all of them at once and with one small request each."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from clawdet_infra.config import parse_image

_SECONDS = 4.0
_AT_ONCE = 8
_HUB = {"docker.io": "registry-1.docker.io"}
_KINDS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.v2",
    )
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class DigestAnswer:
    """What a registry says of a tag: its digest, or that there is none of this name, or (neither) nothing."""

    digest: str | None = None
    missing: bool = False


def digests(references: Iterable[str], ca_directory: str | None = None) -> dict[str, DigestAnswer]:
    """Ask for the digests of image references, each of which has a tag.

    Only `https` is spoken; `ca_directory` has certificates to trust beside the system's own.
    """
    wanted = sorted(set(references))
    if not wanted:
        return {}
    context = ssl.create_default_context()
    # The directory is of the form that Go takes, without the names by which OpenSSL would find a certificate.
    for file in sorted(Path(ca_directory).glob("*.pem")) if ca_directory is not None else ():
        context.load_verify_locations(cafile=file)
    with ThreadPoolExecutor(min(_AT_ONCE, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(lambda one: _ask(one, context), wanted), strict=True))


def known(answers: Mapping[str, DigestAnswer]) -> dict[str, str] | None:
    """Return the digests by reference; None where one of them is not known."""
    found = {name: answer.digest for name, answer in answers.items() if answer.digest is not None}
    return found if len(found) == len(answers) else None


def _ask(reference: str, context: ssl.SSLContext) -> DigestAnswer:
    image = parse_image(reference)
    host = _HUB.get(image.registry, image.registry)
    url = f"https://{host}/v2/{image.repository}/manifests/{image.tag}"
    try:
        return DigestAnswer(_head(url, context, None))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return DigestAnswer(missing=True)
        if error.code != 401:
            return DigestAnswer()
        challenge = error.headers.get("WWW-Authenticate", "")
    except (OSError, ValueError):
        return DigestAnswer()
    try:
        return DigestAnswer(_head(url, context, _token(challenge, context)))
    except urllib.error.HTTPError as error:
        return DigestAnswer(missing=error.code == 404)
    except (OSError, ValueError, KeyError):
        return DigestAnswer()


def _head(url: str, context: ssl.SSLContext, token: str | None) -> str | None:
    headers = {"Accept": _KINDS, **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, headers=headers, method="HEAD")  # noqa: S310 -- https, see `_ask`
    with urllib.request.urlopen(request, timeout=_SECONDS, context=context) as answer:  # noqa: S310
        digest: str | None = answer.headers.get("Docker-Content-Digest")
        return digest


def _token(challenge: str, context: ssl.SSLContext) -> str:
    """Return the token that anybody gets who wants to read a public image."""
    fields = dict(_CHALLENGE.findall(challenge))
    realm = fields.pop("realm", "")
    if not realm.startswith("https://"):
        raise ValueError("the registry names no service that gives tokens")
    query = urllib.parse.urlencode({key: fields[key] for key in ("service", "scope") if key in fields})
    with urllib.request.urlopen(f"{realm}?{query}", timeout=_SECONDS, context=context) as answer:  # noqa: S310
        told = json.load(answer)
    return str(told.get("token") or told["access_token"])
