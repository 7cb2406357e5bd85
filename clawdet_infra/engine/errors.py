"""What the engine's errors mean for a stack, in a sentence for the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clawdet_infra.engine.output import Cause, printed_failure
from clawdet_infra.redaction import Redactor

_MEANINGS: Mapping[Cause, str] = {
    Cause.WRONG_PASSPHRASE: "{stack} cannot be decrypted: PULUMI_CONFIG_PASSPHRASE (or the file that "
    "PULUMI_CONFIG_PASSPHRASE_FILE names) is not its passphrase",
    Cause.NO_PASSPHRASE: "{stack} cannot be decrypted without its passphrase: set PULUMI_CONFIG_PASSPHRASE or "
    "PULUMI_CONFIG_PASSPHRASE_FILE (the example stacks': . ./activate)",
    Cause.NO_STACK: "{stack} is not in the state's backend: see `pulumi stack ls`, and whether PULUMI_BACKEND_URL is "
    "right. `pulumi stack init {name}` makes a new one",
    Cause.NO_LOGIN: "nobody is logged in to the state's backend: run `. ./activate` or `pulumi login`, or set "
    "PULUMI_BACKEND_URL",
    Cause.NO_BACKEND: "the state's backend, PULUMI_BACKEND_URL, cannot be opened: {said}",
    Cause.LOCKED: "{stack} is locked by an update that is running: wait for it; a killed one is cleared by "
    "`clawdet recover -s {name}`",
    Cause.NO_PROJECT: "there is no Pulumi project in this folder: {said}",
}
_LONGEST = 300


def explain(stack: str | None, printed: str, secrets: Sequence[str] = ()) -> str:
    """Return in one sentence what an error text of the engine means for a stack, or for the backend (None)."""
    failed = printed_failure(printed)
    said = Redactor(secrets).line(failed.sentence or "the engine gave no reason", _LONGEST)
    called = f"stack {stack}" if stack else "the stack"
    if meaning := _MEANINGS.get(failed.cause):
        return meaning.format(stack=called, name=stack or "STACK", said=said)
    return f"{called} cannot be read: {said}" if stack else f"the stacks cannot be listed: {said}"
