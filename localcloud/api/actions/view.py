"""How an action looks in JSON, and how moments of time do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localcloud.api.actions.model import Action


def moment(value: datetime) -> str:
    """A moment as the API writes it: RFC 3339, whole seconds, UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def action_view(action: Action, now: datetime) -> dict[str, Any]:
    """An action as the API shows it at this moment."""
    return {
        "id": action.id,
        "command": action.command,
        "status": action.status,
        "progress": _progress(action, now),
        "started": moment(action.started),
        "finished": None if action.finished is None else moment(action.finished),
        "resources": [{"id": resource.id, "type": resource.type} for resource in action.resources],
        "error": None if action.error is None else {"code": action.error.code, "message": action.error.message},
    }


def _progress(action: Action, now: datetime) -> int:
    if action.status != "running":
        return 100
    elapsed = (now - action.started).total_seconds()
    return max(0, min(95, int(100 * elapsed / action.expected_seconds))) if action.expected_seconds > 0 else 0
