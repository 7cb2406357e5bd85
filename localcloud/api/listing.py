"""Lists as Hetzner gives them: filtered, sorted, and in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from localcloud.api.call import Call, Reply
from localcloud.api.errors import invalid
from localcloud.api.labels import SelectorError, matches, parse

T = TypeVar("T")
DEFAULT_PER_PAGE = 25
MAX_PER_PAGE = 50
MAX_PAGE = 2**31


def listed(
    call: Call,
    key: str,
    items: Iterable[T],
    view: Callable[[T], Mapping[str, Any]],
    *,
    sort: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
    max_per_page: int = MAX_PER_PAGE,
) -> Reply:
    """One page of a list, under `key`, with `meta.pagination` and a `Link` header.

    `sort` names the fields that the list can be sorted by; only what is on the page is turned into JSON by `view`.
    """
    chosen = sorted_by(call, list(items), sort)
    page = _positive(call, "page", 1, MAX_PAGE)
    per_page = min(_positive(call, "per_page", DEFAULT_PER_PAGE, MAX_PAGE), max_per_page)
    last = max(1, -(-len(chosen) // per_page))
    start = (page - 1) * per_page
    pagination = {
        "page": page,
        "per_page": per_page,
        "previous_page": page - 1 if page > 1 else None,
        "next_page": page + 1 if page < last else None,
        "last_page": last,
        "total_entries": len(chosen),
    }
    body = {key: [view(item) for item in chosen[start : start + per_page]], "meta": {"pagination": pagination}}
    return Reply(200, {**body, **(extra or {})}, {"Link": _links(call, pagination)})


def _positive(call: Call, name: str, default: int, most: int) -> int:
    text = call.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise invalid(name, "Not a valid integer.")
    if int(text) < 1:
        raise invalid(name, "Must be greater than or equal to 1.")
    return min(int(text), most)


def _links(call: Call, pagination: Mapping[str, int | None]) -> str:
    links = []
    base = urlsplit(call.url)
    for relation, number in (
        ("prev", pagination["previous_page"]),
        ("next", pagination["next_page"]),
        ("last", pagination["last_page"]),
    ):
        if number is not None:
            query = [(name, value) for name, value in call.query.items() if name != "page"]
            target = base._replace(query=urlencode([*query, ("page", str(number))])).geturl()
            links.append(f"<{target}>; rel={relation}")
    return ", ".join(links)


def sorted_by(call: Call, items: list[T], fields: Sequence[str]) -> list[T]:
    """Items in the order that `sort` asks for, by id where it asks for none."""
    asked = call.query.getall("sort", [])
    for wanted in reversed(asked):
        name, _, direction = wanted.partition(":")
        if name not in fields or direction not in ("", "asc", "desc") or wanted.endswith(":"):
            raise invalid("sort", "Not a valid choice.")
        items.sort(key=lambda item: _sort_key(item, name), reverse=direction == "desc")
    return items


def _sort_key(item: object, name: str) -> tuple[bool, Any]:
    value = getattr(item, name)
    return (value is not None, value)


def chosen(call: Call, name: str, allowed: Sequence[str]) -> set[str] | None:
    """Values that a filter (which may be given several times) lets through; None where it is not given."""
    values = call.query.getall(name, None)
    if values is None:
        return None
    for value in values:
        if value not in allowed:
            raise invalid(name, "Not a valid choice.")
    return set(values)


def filtered(call: Call, items: Iterable[T], *exact: str) -> list[T]:
    """Items whose fields named in `exact` equal the query's, and whose labels fit its `label_selector`."""
    wanted = {name: call.query[name] for name in exact if name in call.query}
    selector = call.query.get("label_selector", "")
    found = [item for item in items if all(getattr(item, name) == value for name, value in wanted.items())]
    if not selector:
        return found
    try:
        parse(selector)
    except SelectorError as error:
        raise invalid("label_selector", str(error)) from None
    return [item for item in found if matches(selector, item.labels)]  # type: ignore[attr-defined]
