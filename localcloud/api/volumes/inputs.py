"""Request bodies of the volume routes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from localcloud.api import resource
from localcloud.api.inputs import Id, IdOrName, Input, Labels, problem
from localcloud.api.names import is_volume_name

MAX_SIZE = 10240


def _name(text: str) -> str:
    if not is_volume_name(text):
        raise problem(
            "must have at most 64 letters, digits, dashes, underscores and dots, with a letter or digit at both ends"
        )
    return text


Name = Annotated[str, AfterValidator(_name)]
Size = Annotated[int, Field(ge=10, le=MAX_SIZE)]


class CreateInput(Input):
    """Body of `POST /volumes`."""

    name: Name
    size: Size
    location: IdOrName | None = None
    server: Id | None = None
    automount: bool = False
    format: Literal["ext4", "xfs"] | None = None
    labels: Labels = Field(default_factory=dict)


class UpdateInput(resource.UpdateInput):
    """Body of `PUT /volumes/{id}`."""

    name: Name = ""


class AttachInput(Input):
    """Body of `attach`."""

    server: Id
    automount: bool = False


class ResizeInput(Input):
    """Body of `resize`."""

    size: Size
