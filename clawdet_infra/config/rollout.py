"""The rollout of a change through the fleet, wave after wave."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from clawdet_infra.config.base import NonEmpty, Record, whole
from clawdet_infra.config.problems import wrong

MOST_WAVES = 10
Percent = Annotated[int, whole(1, 100, "percent")]


def _add_up(waves: tuple[int, ...]) -> tuple[int, ...]:
    if len(waves) > MOST_WAVES:
        raise wrong(f"has {len(waves)} waves; at most {MOST_WAVES} are allowed.")
    if sum(waves) != 100:
        raise wrong(f"adds up to {sum(waves)} percent; the waves must add up to 100.")
    return waves


class Rollout(Record):
    """The rollout of a change: the percentage of customers in each wave, from the first to the last."""

    waves: Annotated[NonEmpty[Percent], AfterValidator(_add_up)]
