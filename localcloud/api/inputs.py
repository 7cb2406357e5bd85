"""Reading request bodies: pydantic models, and Hetzner's wording for what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from localcloud.api.errors import ApiError, invalid_fields
from localcloud.api.labels import label_problem

MAX_ID = 2**53 - 1


def read_id(text: str) -> int | None:
    """An id as it stands in a path or query, or None where the text is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= MAX_ID else None


class Input(BaseModel):
    """A request's body.  Types are taken literally (`"5"` is no number); fields nobody knows are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


M = TypeVar("M", bound=Input)


def problem(message: str) -> PydanticCustomError:
    """An error to raise in a validator, with exactly this text."""
    return PydanticCustomError("rule", "{message}", {"message": message})


def _check_labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if found := label_problem(key, value):
            raise problem(found)
    return labels


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Labels = Annotated[dict[str, str], AfterValidator(_check_labels)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
IdOrName = Annotated[str, BeforeValidator(_number_as_text), Field(min_length=1, max_length=255)]
"""A reference by id (number, or digits in a string) or by name; always a string here."""


class ProtectionInput(Input):
    """Body of `change_protection`."""

    delete: bool = False


def read_json(text: str) -> dict[str, Any]:
    """A body's JSON object; an empty body is an empty object.  Raises json_error."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text, parse_constant=_no_constant)
        if "\\ud" in text.lower():
            # Half of a surrogate pair can be written in JSON, but is no text that could be kept or sent.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ApiError("json_error", f"the request body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise ApiError("json_error", "the request body must be a JSON object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def parse(model: type[M], body: Mapping[str, Any]) -> M:
    """Read a body.  Raises invalid_input with every problem of every field."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems: dict[str, list[str]] = {}
        for detail in error.errors(include_url=False):
            problems.setdefault(_field_name(detail["loc"]), []).append(_wording(detail))
        raise invalid_fields(problems) from None


def _field_name(location: tuple[int | str, ...]) -> str:
    name = ""
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        elif part != "[key]":
            name += f".{part}" if name else part
    return name or "body"


_WORDING = {
    "missing": "Missing data for required field.",
    "string_type": "Not a valid string.",
    "string_unicode": "Not a valid string.",
    "int_type": "Not a valid integer.",
    "int_from_float": "Not a valid integer.",
    "float_type": "Not a valid number.",
    "finite_number": "Not a valid number.",
    "bool_type": "Not a valid boolean.",
    "list_type": "Not a valid list.",
    "dict_type": "Not a valid mapping type.",
    "model_type": "Not a valid mapping type.",
    "literal_error": "Not a valid choice.",
    "string_too_short": "Shorter than minimum length {min_length}.",
    "string_too_long": "Longer than maximum length {max_length}.",
    "too_short": "Shorter than minimum length {min_length}.",
    "too_long": "Longer than maximum length {max_length}.",
    "greater_than_equal": "Must be greater than or equal to {ge}.",
    "less_than_equal": "Must be less than or equal to {le}.",
}


def _wording(detail: ErrorDetails) -> str:
    if detail["input"] is None and detail["type"] != "missing":
        return "Field may not be null."
    wording = _WORDING.get(detail["type"])
    return detail["msg"] if wording is None else wording.format(**detail.get("ctx", {}))
