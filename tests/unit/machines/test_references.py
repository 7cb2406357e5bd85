"""Image references and fingerprints of sets of images."""

from __future__ import annotations

import pytest

from localcloud.machines.base import MachineError
from localcloud.machines.docker.references import Reference, fingerprint

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("10.1.0.1:5000/library/caddy:2.11.9", Reference("10.1.0.1:5000", "library/caddy", "2.11.9", "")),
        (f"10.1.0.1:5000/a/b@{DIGEST}", Reference("10.1.0.1:5000", "a/b", "", DIGEST)),
        (f"registry.test/a:1@{DIGEST}", Reference("registry.test", "a", "1", DIGEST)),
        ("registry.test/a", Reference("registry.test", "a", "", "")),
    ],
)
def test_a_reference_is_read_and_written(text: str, reference: Reference) -> None:
    assert Reference.parse(text) == reference
    assert reference.text == text


@pytest.mark.parametrize("text", ["caddy", "library/caddy:2", ""])
def test_a_reference_without_registry_is_refused(text: str) -> None:
    with pytest.raises(MachineError, match="does not name its registry"):
        Reference.parse(text)


def test_the_fingerprint_is_that_of_the_images_and_not_of_their_place_or_order() -> None:
    first = (Reference.parse("10.1.0.1:5000/a:1"), DIGEST)
    second = (Reference.parse("10.1.0.1:5000/b:1"), DIGEST)
    elsewhere = (Reference.parse("10.9.0.1:5000/a:1"), DIGEST)
    assert fingerprint("base", [first, second]) == fingerprint("base", [second, elsewhere])
    assert fingerprint("base", [first, second]) != fingerprint("other base", [first, second])
    assert fingerprint("base", [first]) != fingerprint("base", [(first[0], DIGEST.replace("a", "b"))])
