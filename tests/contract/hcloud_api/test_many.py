"""A thousand servers: quick to make, and not slower at the end than at the beginning."""

from __future__ import annotations

import time
from statistics import median

import pytest
from hcloud import Client
from hcloud.firewalls import FirewallResource, FirewallResourceLabelSelector
from hcloud.images import Image
from hcloud.server_types import ServerType

from tests.contract.hcloud_api.making import make_key
from tests.contract.hcloud_api.running import RunningCloud

COUNT = 1000
SECONDS = 30
"""Of processor time, client and API together: far above the 4 s that it takes, and the same on a busy machine."""


@pytest.mark.slow  # It measures time: `python -m bench.api_only` measures it per server.
def test_a_thousand_servers_are_made_at_a_steady_pace(cloud: RunningCloud, client: Client) -> None:
    key = make_key(client)
    selector = FirewallResource("label_selector", label_selector=FirewallResourceLabelSelector("clawdet-role=customer"))
    client.firewalls.create(name="edge", resources=[selector])
    pace = []
    for number in range(COUNT):
        started = time.process_time()
        client.servers.create(
            name=f"user{number}",
            server_type=ServerType(name="cx23"),
            image=Image(name="debian-13"),
            ssh_keys=[key],
            labels={"clawdet-role": "customer", "clawdet-id": f"user{number}"},
        )
        pace.append(time.process_time() - started)

    assert sum(pace) < SECONDS, f"{COUNT} servers took {sum(pace):.1f} s"
    first, last = median(pace[:100]), median(pace[-100:])
    assert last < 3 * first, f"a server took {first * 1000:.1f} ms at first and {last * 1000:.1f} ms at last"
    assert len(client.servers.get_all(label_selector="clawdet-role=customer")) == COUNT
    print(f"{COUNT} servers in {sum(pace):.1f} s, {first * 1000:.1f} ms each at first, {last * 1000:.1f} ms at last")
