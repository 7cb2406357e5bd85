"""Compose documents as the templates make them, to be broken one rule at a time."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from clawdet_infra.checks import Document
from clawdet_infra.checks.renderings import Rendering, of_plans


def rendering(template: str) -> Rendering:
    """The first rendering of a template: without anything optional."""
    return next(one for one in of_plans() if isinstance(one, Rendering) and one.template == template)


def content(plan: str = "pro") -> dict[str, Any]:
    """A sound compose file, as a copy that may be changed."""
    return copy.deepcopy(yaml.safe_load(rendering(f"{plan}.compose.yaml.j2").compose or ""))


def document(plan: str = "pro") -> Document:
    return Document(content(plan), edge=plan == "edge")
