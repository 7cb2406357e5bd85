"""How many requests the provider is asked for what."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from hcloud import APIException
from pydantic import SecretStr

from clawdet_infra.config import CloudAccess
from clawdet_infra.hosts.hetzner import Provider


class Servers:
    """The provider's servers, of which its list leaves some out."""

    def __init__(self, there: set[int], unlisted: set[int]) -> None:
        self.there = there
        self.unlisted = unlisted
        self.asked: list[int] = []
        self.lists = 0

    def get_all(self) -> list[SimpleNamespace]:
        self.lists += 1
        return [SimpleNamespace(id=one) for one in sorted(self.there - self.unlisted)]

    def get_by_id(self, number: int) -> SimpleNamespace:
        self.asked.append(number)
        if number not in self.there:
            raise APIException("not_found", "there is none", None)
        return SimpleNamespace(id=number)


@pytest.mark.parametrize(("wanted", "lists", "asked"), [(3, 0, [1, 2, 3]), (200, 1, [1, 2])])
def test_many_servers_are_listed_and_what_the_list_leaves_out_is_asked_for(
    wanted: int, lists: int, asked: list[int]
) -> None:
    """A server that goes while the list is read shifts its pages, and one that is there would seem to be gone."""
    ids = range(1, wanted + 1)
    servers = Servers({*ids, 999} - {1}, unlisted={2})
    provider = Provider(CloudAccess(token=SecretStr("t" * 64)))
    provider._client = SimpleNamespace(servers=servers)  # type: ignore[assignment]
    assert asyncio.run(provider.existing(ids)) == set(ids) - {1}
    assert (servers.lists, sorted(servers.asked)) == (lists, asked)
