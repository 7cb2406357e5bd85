from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.deploy.place import Place, give_back, make_place


@pytest.fixture(scope="package")
def dedicated(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with the enterprise customer `big` on it."""
    place = make_place(cloud, tmp_path_factory.mktemp("dedicated"), "deploy-dedicated", "cx33")
    try:
        place.must_deploy(place.payload(place.customer("big")))
        yield place
    finally:
        give_back(place)


@pytest.fixture(scope="package")
def shared(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with an edge proxy, and the free customers `anna` and `bert` on it."""
    place = make_place(cloud, tmp_path_factory.mktemp("shared"), "deploy-shared", "cx33")
    try:
        place.must_deploy(place.edge_payload())
        for one in ("anna", "bert"):
            place.must_deploy(place.payload(place.customer(one)))
        yield place
    finally:
        give_back(place)
