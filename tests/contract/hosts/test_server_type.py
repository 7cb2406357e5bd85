"""Whether a customer's server can get another type, asked of the provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hcloud.server_types import ServerType

from clawdet_infra.automation import ImmutableError
from clawdet_infra.automation.base import Base
from clawdet_infra.automation.server_type import refuse_type
from tests.contract.hcloud_api.making import make_server, off
from tests.contract.hcloud_api.running import TOKEN, RunningCloud, running_cloud
from tests.unit.automation.samples import base, customer


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[RunningCloud]:
    with running_cloud(tmp_path) as running:
        yield running


def over(cloud: RunningCloud) -> Base:
    return base(cloud={"token": TOKEN, "endpoint": cloud.endpoint})


def test_a_disk_that_never_grew_fits_the_smaller_type_again(cloud: RunningCloud) -> None:
    large, small = customer("bob", "enterprise"), customer("bob")
    server = off(make_server(cloud.client(), "bob"))
    server.change_type(ServerType(name="cx33"), upgrade_disk=False).wait_until_finished()
    refuse_type(over(cloud), large, small)
    refuse_type(over(cloud), small, large)
    server = off(server)
    server.change_type(ServerType(name="cx43"), upgrade_disk=True).wait_until_finished()
    with pytest.raises(ImmutableError, match="customer bob: the server cannot become a cx23: its disk has 160 GB"):
        refuse_type(over(cloud), large, small)


def test_a_server_that_is_not_there_yet_is_made_as_it_is_asked_for(cloud: RunningCloud) -> None:
    refuse_type(over(cloud), customer("bob", "enterprise"), customer("bob"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, customer("bob")),
        (customer("bob"), customer("bob", subdomain="robert")),
        (customer("bob", "gold"), customer("bob")),
        (customer("bob", "free"), customer("bob")),
    ],
)
def test_where_no_server_gets_another_type_nobody_is_asked(
    before: dict[str, str] | None, after: dict[str, str]
) -> None:
    refuse_type(base(cloud={"token": TOKEN, "endpoint": "http://127.0.0.1:9/v1"}), before, after)
