"""Repairs put into sentences, for the history, the log and alerts."""

from __future__ import annotations

from clawdet_infra.inventory.observation import Step
from clawdet_infra.monitoring.remediation.decisions import Act


def doing(take: Act, instance: str, server: str) -> str:
    """Return what a step does, such as `restart the containers of ada`."""
    match take.step:
        case Step.RESTART if take.service:
            return f"restart the {take.service} of {instance}"
        case Step.RESTART:
            return f"restart the containers of {instance}"
        case Step.REBOOT:
            return f"reboot the server {server}"
        case Step.POWER_ON:
            return f"power the server {server} on"


def begun(take: Act, instance: str, server: str) -> str:
    """Return the sentence for the beginning of a step."""
    what = doing(take, instance, server)
    return f"Begun to {what}. Seen: {_sentence(take.why)}"


def would(take: Act, instance: str, server: str) -> str:
    """Return the sentence for a step that a dry run does not take."""
    return f"Would {doing(take, instance, server)}. Seen: {_sentence(take.why)}"


def ended(take: Act, instance: str, server: str, seconds: float, trouble: str | None, *, docker: bool = False) -> str:
    """Return the sentence for a step that was done, after which `trouble` was seen, or nothing.

    `docker` says that Docker itself was started.
    """
    what = f"start Docker on the server {server}, where it was stopped" if docker else doing(take, instance, server)
    if trouble is None:
        return f"{what[0].upper()}{what[1:]}: healthy after {seconds:.0f} s."
    return f"{what[0].upper()}{what[1:]}: still not healthy after {seconds:.0f} s: {_sentence(trouble)}"


def impossible(take: Act, instance: str, server: str, why: str) -> str:
    """Return the sentence for a step that could not be done."""
    return f"Could not {doing(take, instance, server)}: {_sentence(why)}"


def withheld(take: Act, instance: str, server: str, why: str) -> str:
    """Return the sentence for a step that was not begun after all."""
    return f"Did not {doing(take, instance, server)}: {_sentence(why)}"


def _sentence(text: str) -> str:
    text = text.strip() or "nothing more is known"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
