"""Where alerts go to: a file or an environment variable with the addresses of channels, all of which are secret."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import SecretStr

from clawdet_infra.config.variables import VariableError, read_variable

FILE_VARIABLE = "CLAWDET_ALERTS"
URLS_VARIABLE = "CLAWDET_ALERT_URLS"
HEARTBEAT_VARIABLE = "CLAWDET_HEARTBEAT_URL"

_KEYS = ("channels", "heartbeat")
_OLD_HEARTBEAT = "deadMan"
_LOG = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.")


class ChannelsError(ValueError):
    """The channels cannot be used: what is wrong, where, and how to mend it; never an address."""


@dataclass(frozen=True)
class Channel:
    """One place that alerts go to, by the name that people call it.  Its URL, apprise's kind of, holds credentials."""

    name: str
    url: SecretStr = field(repr=False)


@dataclass(frozen=True)
class Channels:
    """All places that alerts go to, and the URL that is fetched after each check cycle, None for none."""

    channels: tuple[Channel, ...] = ()
    heartbeat: SecretStr | None = field(default=None, repr=False)


def load_channels(environment: Mapping[str, str], default: Path) -> Channels:
    """Return the channels that the environment or a file names.

    CLAWDET_ALERT_URLS holds URLs with white space between them, CLAWDET_HEARTBEAT_URL the one to fetch after each check
    cycle; they are added to what the file says, which is the one that CLAWDET_ALERTS names, else `default`.  If the
    default file is missing, there are no channels in it.  Raises ChannelsError.
    """
    named = environment.get(FILE_VARIABLE)
    file = Path(named) if named else default
    listed = _read(file) if named or file.exists() else Channels()
    urls = environment.get(URLS_VARIABLE, "").split()
    names = {one.name for one in listed.channels}
    added = []
    for number, url in enumerate(urls, 1):
        channel = _channel(url, f"{URLS_VARIABLE}, URL {number}", f"environment {number}")
        if channel.name in names:
            raise ChannelsError(
                f"{file}: the channel `{channel.name}` has a name that {URLS_VARIABLE} takes; rename it"
            )
        added.append(channel)
    try:
        heartbeat = read_variable(environment, HEARTBEAT_VARIABLE)
    except VariableError as error:
        raise ChannelsError(str(error)) from None
    return Channels(
        channels=(*listed.channels, *added),
        heartbeat=_web(heartbeat, HEARTBEAT_VARIABLE) if heartbeat else listed.heartbeat,
    )


def _read(file: Path) -> Channels:
    try:
        # Looked at and read by one descriptor, so that what was checked is what is read.
        with file.open(encoding="utf-8") as opened:
            _check_private(file, os.fstat(opened.fileno()))
            text = opened.read()
    except OSError as error:
        raise ChannelsError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ChannelsError(f"{file} is not UTF-8 text") from None
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # A ValueError is for a date or number that cannot be.
        # The parser's own words would show the line, with the secret that is in it.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ChannelsError(f"{file}{where}: this is not YAML; put URLs in single quotes") from None
    return _parse(file, document or {})


def _check_private(file: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ChannelsError(f"{file} is not a file")
    if status.st_uid not in (0, os.geteuid()):
        raise ChannelsError(f"{file} belongs to another user, who could read your alerts; run: chown $USER {file}")
    if status.st_mode & 0o077:
        raise ChannelsError(f"{file} holds credentials, and others may read it; run: chmod 600 {file}")


def _parse(file: Path, document: Any) -> Channels:
    if not isinstance(document, dict) or not set(document) <= {*_KEYS, _OLD_HEARTBEAT}:
        raise ChannelsError(f"{file} may have these keys and no others: {', '.join(_KEYS)}")
    entries = document.get("channels") or []
    if not isinstance(entries, list):
        raise ChannelsError(f"{file}: channels has to be a list; begin each entry with a hyphen")
    channels = tuple(_entry(entry, f"{file}: channel {number}", number) for number, entry in enumerate(entries, 1))
    names = [one.name for one in channels]
    for name in names:
        if names.count(name) > 1:
            raise ChannelsError(f"{file}: two channels are called `{name}`; name them apart")
    key = "heartbeat"
    if _OLD_HEARTBEAT in document:
        if key in document:
            raise ChannelsError(
                f"{file}: {_OLD_HEARTBEAT} is the old name of {key}, which is set too; remove {_OLD_HEARTBEAT}"
            )
        _LOG.warning(
            "%s: %s is now %s; the old name works in this version for the last time", file, _OLD_HEARTBEAT, key
        )
        key = _OLD_HEARTBEAT
    url = document.get(key)
    return Channels(channels, _web(url, f"{file}: {key}") if url else None)


def _entry(entry: Any, where: str, number: int) -> Channel:
    if isinstance(entry, str):
        return _channel(entry, where, f"channel {number}")
    if not isinstance(entry, dict) or "url" not in entry or not set(entry) <= {"name", "url"}:
        raise ChannelsError(f"{where} has to be a URL, or to have a `url` and, where you like, a `name`")
    name = entry.get("name", f"channel {number}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ChannelsError(f"{where}: its name has to be 1 to 40 letters, digits, spaces, dots and hyphens")
    return _channel(entry["url"], where, name)


def _channel(url: Any, where: str, name: str) -> Channel:
    if not isinstance(url, str) or not _SCHEME.match(url):
        raise ChannelsError(f"{where} is not a URL such as slack://… or mailto://…")
    return Channel(name, SecretStr(url))


def _web(url: Any, where: str) -> SecretStr:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        sound = parts is not None and parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        sound = False
    if not sound:
        raise ChannelsError(f"{where} is not a URL that begins with https://")
    return SecretStr(url)
