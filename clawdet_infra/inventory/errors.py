"""Why the fleet's instances are not known, in a sentence for the operator."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clawdet_infra.error_line import read
from clawdet_infra.redaction import Redactor

_MEANINGS: Sequence[tuple[str, str]] = (
    (
        r"incorrect passphrase|cipher: message authentication failed",
        "{stack} cannot be decrypted: PULUMI_CONFIG_PASSPHRASE (or the file that PULUMI_CONFIG_PASSPHRASE_FILE names) "
        "is not its passphrase",
    ),
    (
        r"passphrase must be set",
        "{stack} cannot be decrypted without its passphrase: set PULUMI_CONFIG_PASSPHRASE or "
        "PULUMI_CONFIG_PASSPHRASE_FILE (the example stacks': . ./activate)",
    ),
    (
        r"no stack named",
        "{stack} is not in the state's backend: see `pulumi stack ls`, and whether PULUMI_BACKEND_URL is right. "
        "`pulumi stack init {name}` makes a new one",
    ),
    (
        r"PULUMI_ACCESS_TOKEN must be set",
        "nobody is logged in to the state's backend: run `. ./activate` or `pulumi login`, or set PULUMI_BACKEND_URL",
    ),
    (
        r"unable to open state directory|unable to open bucket",
        "the state's backend, PULUMI_BACKEND_URL, cannot be opened: {said}",
    ),
    (
        r"currently locked by|Another update is currently in progress",
        "{stack} is locked by an update that is running: wait for it; a killed one is cleared by "
        "`clawdet recover -s {name}`",
    ),
    (r"failed to load project|no Pulumi\.yaml project file", "there is no Pulumi project in this folder: {said}"),
)


class InventoryError(Exception):
    """The instances of the fleet cannot be told; the text is one sentence and holds no secret."""


def explain(stack: str | None, said: str, secrets: Sequence[str] = ()) -> str:
    """Return in one sentence what an error text of the engine means for a stack, or for the backend (None)."""
    lines = [line.strip().removeprefix("stderr:").strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")] or lines[-1:] or ["the engine gave no reason"]
    last = Redactor(secrets).line(read(errors[-1].removeprefix("error:").strip())[1], 300)
    called = f"stack {stack}" if stack else "the stack"
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, said):
            return meaning.format(stack=called, name=stack or "STACK", said=last)
    return f"{called} cannot be read: {last}" if stack else f"the stacks cannot be listed: {last}"


MISSING_ENGINE = "pulumi is not on PATH. In the checkout, run: . ./activate (and before the first time: make setup)"
