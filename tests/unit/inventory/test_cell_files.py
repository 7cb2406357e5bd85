"""Which stacks are configured by a file of their own, and which by their base's."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawdet_infra.engine.stacks import base_of
from clawdet_infra.inventory.selection import configured_stacks

SETTINGS = "config:\n  clawdet:domain: clawdet.com\n"
SALT = "encryptionsalt: v1:MXT5p3HUzcA=:v1:HhlrIDGAICKa0n7Q:jG9CuMVzmcoYvkCwNDCSMtU5Erf9Sg==\n"


@pytest.mark.parametrize(
    ("content", "base"),
    [
        (None, "prod"),
        ("", "prod"),
        (SALT, "prod"),
        (f"{SALT}config:\n  hcloud:token: x\n", "prod"),
        (SETTINGS, "prod-cell-1"),
    ],
)
def test_a_file_that_the_engine_wrote_makes_no_stack_of_a_cell(content: str | None, base: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(SETTINGS)
    if content is not None:
        (tmp_path / "Pulumi.prod-cell-1.yaml").write_text(content)
    assert base_of("prod-cell-1", tmp_path) == base
    assert configured_stacks(tmp_path) == sorted({"prod", base})


def test_other_stacks_are_themselves(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.fresh.yaml").write_text(SALT)
    assert base_of("fresh", tmp_path) == "fresh"
    assert configured_stacks(tmp_path) == ["fresh"]
