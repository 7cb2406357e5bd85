"""Routes for images."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from localcloud.api.actions.routes import reply, routes_of
from localcloud.api.actions.view import moment
from localcloud.api.call import Call, Reply, Route
from localcloud.api.catalogue.system_images import SYSTEM_IMAGES
from localcloud.api.errors import invalid, not_found, protected
from localcloud.api.images.model import Image
from localcloud.api.inputs import Input, Labels, ProtectionInput
from localcloud.api.listing import chosen, filtered, listed
from localcloud.api.state import State


class UpdateInput(Input):
    """Body of `PUT /images/{id}`."""

    description: Annotated[str, Field(max_length=255)] = ""
    type: Literal["snapshot"] = "snapshot"
    labels: Labels = Field(default_factory=dict)


def view(image: Image) -> dict[str, Any]:
    """An image in JSON."""
    source = image.created_from
    return {
        "id": image.id,
        "type": image.type,
        "status": image.status,
        "name": image.name,
        "description": image.description,
        "image_size": image.image_size,
        "disk_size": image.disk_size,
        "created": moment(image.created),
        "created_from": None if source is None else {"id": source[0], "name": source[1]},
        "bound_to": image.bound_to,
        "os_flavor": image.os_flavor,
        "os_version": image.os_version,
        "architecture": image.architecture,
        "rapid_deploy": image.type == "system",
        "protection": {"delete": image.protect_delete},
        "labels": image.labels,
        "deprecated": None,
        "deprecation": None,
        "deleted": None,
    }


def all_images(state: State) -> list[Image]:
    """System images, snapshots and backups."""
    return [*SYSTEM_IMAGES, *state.images]


def find_image(state: State, key: str) -> Image | None:
    """An image by id in digits, or a system image by name."""
    return next((image for image in all_images(state) if key in (str(image.id), image.name)), None)


def _id(call: Call) -> int:
    return _found(call).id


def _found(call: Call) -> Image:
    image = find_image(call.cloud.state, str(call.id()))
    if image is None:
        raise not_found("image", call.id())
    return image


def _own(call: Call) -> Image:
    """The image in the path, which must be one that the project owns."""
    image = _found(call)
    if image.type == "system":
        raise invalid("type", "only images of type snapshot and backup can be changed or deleted")
    return image


def _list(call: Call) -> Reply:
    types = chosen(call, "type", ("system", "app", "snapshot", "backup"))
    statuses = chosen(call, "status", ("available", "creating", "unavailable"))
    architectures = chosen(call, "architecture", ("x86", "arm"))
    bound = call.query.getall("bound_to", None)
    found = [
        image
        for image in filtered(call, all_images(call.cloud.state), "name")
        if (types is None or image.type in types)
        and (statuses is None or image.status in statuses)
        and (architectures is None or image.architecture in architectures)
        and (bound is None or str(image.bound_to) in bound)
    ]
    return listed(call, "images", found, view, sort=("id", "name", "created"))


def _get(call: Call) -> Reply:
    return Reply(200, {"image": view(_found(call))})


def _update(call: Call) -> Reply:
    image, given = _own(call), call.read(UpdateInput)
    if "description" in given.model_fields_set:
        image = replace(image, description=given.description)
    if "labels" in given.model_fields_set:
        image = replace(image, labels=given.labels)
    if "type" in given.model_fields_set:
        image = replace(image, type=given.type, bound_to=None)
    return Reply(200, {"image": view(call.cloud.state.images.put(image))})


def _delete(call: Call) -> Reply:
    image = _own(call)
    if image.protect_delete:
        raise protected(image.type, "deletion")
    call.cloud.state.images.remove(image.id)
    return Reply(204)


def _change_protection(call: Call) -> Reply:
    image, given = _own(call), call.read(ProtectionInput)
    if image.type != "snapshot":
        raise invalid("type", "only images of type snapshot can be protected")
    if "delete" in given.model_fields_set:
        call.cloud.state.images.put(replace(image, protect_delete=given.delete))
    return reply(call, call.cloud.queue.begin("change_protection", [("image", image.id)]))


ROUTES = [
    *routes_of("images", "image", _id),
    Route("GET", "/images", _list),
    Route("GET", "/images/{id}", _get),
    Route("PUT", "/images/{id}", _update),
    Route("DELETE", "/images/{id}", _delete),
    Route("POST", "/images/{id}/actions/change_protection", _change_protection),
]
