"""The one shape of every record of the model: frozen, strict, closed, and silent about its inputs."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from clawdet_infra.model.problems import describe, wrong


class Record(BaseModel):
    """A frozen value.

    Attributes are snake_case in Python and camelCase in YAML.  Types are strict, so "1" is not 1 and true is not 1.
    An input never shows up in pydantic's own error text, because it may be a secret.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        strict=True,
        validate_by_alias=True,
        validate_by_name=True,
    )


def _as_tuple(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(value)
    raise wrong(f"must be a list, but is {describe(value)}.", "In YAML each entry begins with `- ` on its own line.")


T = TypeVar("T")
Listed = Annotated[tuple[T, ...], BeforeValidator(_as_tuple)]
"""A list in YAML, an immutable tuple here."""

NonEmpty = Annotated[Listed[T], Field(min_length=1)]
"""A list that must have at least one entry."""
