"""Reads the templates; everything that is deployed is text made from them."""

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
        # What is made is YAML, JSON and Caddy's language, which Jinja cannot escape; each value goes through a filter
        # of its language.
        autoescape=False,  # noqa: S701
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    # Compose looks for variables in every text, quoted or not.
    environment.filters["compose"] = lambda value: json.dumps(value, ensure_ascii=False).replace("$", "$$")
    environment.filters["caddy"] = _caddy_word
    environment.filters["comment"] = _one_line
    environment.filters["b64"] = lambda text: base64.b64encode(text.encode()).decode()
    return environment


def _caddy_word(value: str) -> str:
    """Return a value that stands in a Caddyfile for itself.

    Quotes would not help: Caddy puts variables in place of `{$NAME}` and placeholders in place of `{name}` between
    quotes as well.  Raises ValueError for a value with any other character than those of names, addresses and paths.
    """
    if not _CADDY_WORD.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be written into a Caddyfile; it may have letters, digits and ._~:/@%+[]- only"
        )
    return value


def _one_line(value: str) -> str:
    """Return a value that can stand in a comment.  Raises ValueError where it has more than one line."""
    if not value.isprintable():
        raise ValueError(f"{value!r} cannot be written into a comment; it may have printable characters only")
    return value


def fill(template: str, **values: Any) -> str:
    """Return a template's text with its values; a value that is missing raises `jinja2.UndefinedError`."""
    return _environment().get_template(template).render(**values)


@functools.cache
def text(path: str) -> str:
    """Return a file of the templates' folder that needs no values."""
    return (package.TEMPLATES / path).read_text(encoding="utf-8")
