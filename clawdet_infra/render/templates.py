"""Reads the templates; everything that is deployed is text made from them."""

from __future__ import annotations

import base64
import functools
import json
from pathlib import Path
from typing import Any

import jinja2

FOLDER = Path(__file__).resolve().parents[2] / "templates"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        # What is made is YAML, JSON and Caddy's language; the templates quote each value by `json` or take a name whose
        # form the model has checked.
        autoescape=False,  # noqa: S701
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.filters["b64"] = lambda text: base64.b64encode(text.encode()).decode()
    return environment


def fill(template: str, **values: Any) -> str:
    """Return a template's text with its values; a value that is missing raises `jinja2.UndefinedError`."""
    return _environment().get_template(template).render(**values)


def bare(name: str, text: str) -> str:
    """Return the text of a file without comments and empty lines, which only readers of the templates need.

    Every deployment carries its files, and the state keeps them for each customer.
    """
    if name.endswith(".json"):
        return text
    mark = "//" if name.endswith(".mjs") else "#"
    lines = (line for line in text.split("\n") if line.startswith("#!") or not line.lstrip().startswith(mark))
    return "".join(f"{line}\n" for line in lines if line)


@functools.cache
def text(path: str) -> str:
    """Return a file of the templates' folder that needs no values."""
    return (FOLDER / path).read_text(encoding="utf-8")
