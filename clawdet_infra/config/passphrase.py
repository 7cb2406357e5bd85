"""The public passphrase of the example stacks, and the check that no other stack uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

EXAMPLE = "clawdet-example"
"""The passphrase that `activate` sets if none is set; it is in the repository."""

_VARIABLE = "PULUMI_CONFIG_PASSPHRASE"
_FILE_VARIABLE = "PULUMI_CONFIG_PASSPHRASE_FILE"
_BACKEND_VARIABLE = "PULUMI_BACKEND_URL"


def refusal(stack: str, file: Path, environment: Mapping[str, str], *, local: bool) -> str | None:
    """Return why a stack must not be used with the passphrase of an environment; None if it may be.

    `file` is the stack's file, which may be missing.  `local` is whether the stack's cloud is a local one, where the
    example passphrase is allowed.
    """
    if local or given(environment) != EXAMPLE or not _decides(file, environment):
        return None
    return (
        f"the secrets of stack {stack} are encrypted with the public passphrase of the examples, which is for local "
        f"clouds only. Set another: run `pulumi stack change-secrets-provider passphrase -s {stack}`, then set "
        f"{_FILE_VARIABLE} to a file with it. Replace every secret that was stored before."
    )


def given(environment: Mapping[str, str]) -> str | None:
    """Return the passphrase that the engine uses: the variable's, else the file's; None if there is none."""
    if (written := environment.get(_VARIABLE)) is not None:
        return written
    if not (file := environment.get(_FILE_VARIABLE)):
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None  # The engine reports this better.


def _decides(file: Path, environment: Mapping[str, str]) -> bool:
    """Return whether a passphrase protects a stack's secrets, instead of a key service or Pulumi Cloud."""
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):  # A ValueError is for invalid bytes, dates and numbers.
        content = None
    written: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    if written.get("encryptionsalt"):
        return True
    provider = written.get("secretsprovider") or "default"
    if provider == "default":
        return not environment.get(_BACKEND_VARIABLE, "").startswith(("https://", "http://"))
    return bool(provider == "passphrase")
