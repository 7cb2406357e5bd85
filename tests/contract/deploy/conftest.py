from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.deploy.place import Place, give_back, make_place


@pytest.fixture(scope="package")
def dedicated(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with the enterprise customer `big` on it."""
    place = make_place(cloud, tmp_path_factory.mktemp("dedicated"), "deploy-dedicated", "cx33")
    ran = place.deploy(place.payload(place.customer("enterprise")))
    assert ran.code == 0, ran.errors
    yield place
    give_back(place)


@pytest.fixture(scope="package")
def shared(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with an edge proxy, and the free customers `anna` and `bert` on it."""
    place = make_place(cloud, tmp_path_factory.mktemp("shared"), "deploy-shared", "cx33")
    for payload in (place.edge_payload(), *(place.payload(one) for one in place.layout.customers if one.host_id)):
        ran = place.deploy(payload)
        assert ran.code == 0, ran.errors
    yield place
    give_back(place)
