"""Removes trials that were kept, and what is left of those that were killed."""

from __future__ import annotations

from clawdet_infra.model import CloudAccess
from clawdet_infra.trial.records import Record
from clawdet_infra.trial.sweep import sweep


def remove_from_cloud(record: Record, cloud: CloudAccess) -> list[str]:
    """Remove what a trial has made at a cloud, and its record, which is held; returns what that was, in words.

    Raises TrialError where something stays; the record then stays too.
    """
    gone = sweep(cloud, record.name, str(record.facts["domain"]), unsure=True)
    record.forget()
    return gone
