"""Loads and fills the templates of everything that is deployed."""

from __future__ import annotations

import base64
import functools
import json
import re
from typing import Any

import jinja2

from clawdet_infra.agent import package

_CADDY_WORD = re.compile(r"[A-Za-z0-9._~:/@%+\[\]-]+")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(package.TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        # The results are YAML, JSON and Caddyfiles, which Jinja cannot escape; each value passes a filter of its
        # language.
        autoescape=False,  # noqa: S701
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    # Compose expands variables in every text, quoted or not.
    environment.filters["compose"] = lambda value: json.dumps(value, ensure_ascii=False).replace("$", "$$")
    environment.filters["caddy"] = _caddy_word
    environment.filters["comment"] = _one_line
    environment.filters["b64"] = lambda text: base64.b64encode(text.encode()).decode()
    return environment


def _caddy_word(value: str) -> str:
    """Return a value that is literal in a Caddyfile.

    Quotes would not help: Caddy expands variables (`{$NAME}`) and placeholders (`{name}`) in quotes as well.  Raises
    ValueError for a value with other characters than those of names, addresses and paths.
    """
    if not _CADDY_WORD.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be written into a Caddyfile; it may contain letters, digits and ._~:/@%+[]- only"
        )
    return value


def _one_line(value: str) -> str:
    """Return a value for a comment.  Raises ValueError if it has more than one line or unprintable characters."""
    if not value.isprintable():
        raise ValueError(f"{value!r} cannot be written into a comment; it may contain printable characters only")
    return value


def fill(template: str, **values: Any) -> str:
    """Return a template filled with values; a missing value raises `jinja2.UndefinedError`."""
    return _environment().get_template(template).render(**values)


@functools.cache
def text(path: str) -> str:
    """Return the text of a file in the templates' directory that is not a template."""
    return (package.TEMPLATES / path).read_text(encoding="utf-8")
