"""References of container images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.config import Release, ReleaseOverride, load_fleet, parse_image
from tests.unit.config.samples import complaint, complaints, customer, fleet

DIGEST = "sha256:" + "0123456789abcdef" * 4
EXAMPLE = "Write it as REGISTRY/NAME:TAG, for example `ghcr.io/openclaw/openclaw:2026.9.6`."
RELEASE = fleet()["release"]


@pytest.mark.parametrize(
    ("reference", "registry", "repository", "tag", "digest"),
    [
        ("ghcr.io/openclaw/openclaw:2026.9.6", "ghcr.io", "openclaw/openclaw", "2026.9.6", None),
        ("caddy:2", "docker.io", "library/caddy", "2", None),
        ("docker.io/library/caddy:2", "docker.io", "library/caddy", "2", None),
        ("docker.io/caddy:2", "docker.io", "library/caddy", "2", None),
        ("index.docker.io/library/caddy:2", "docker.io", "library/caddy", "2", None),
        ("chromedp/headless-shell:140", "docker.io", "chromedp/headless-shell", "140", None),
        ("localhost/x:1", "localhost", "x", "1", None),
        ("10.1.0.1:5000/a/b:1", "10.1.0.1:5000", "a/b", "1", None),
        ("[fd00::1]:5000/a:1", "[fd00::1]:5000", "a", "1", None),
        ("Registry/a:1", "Registry", "a", "1", None),
        (f"ghcr.io/a@{DIGEST}", "ghcr.io", "a", None, DIGEST),
        (f"ghcr.io/a:1@{DIGEST}", "ghcr.io", "a", "1", DIGEST),
        ("a__b/c---d:1", "docker.io", "a__b/c---d", "1", None),
    ],
)
def test_a_reference_is_taken_apart_as_docker_does(reference, registry, repository, tag, digest):
    image = parse_image(reference)
    assert (image.registry, image.repository, image.tag, image.digest) == (registry, repository, tag, digest)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        ":1",
        "a:",
        "A:1",
        "a b:1",
        "a/:1",
        "/a:1",
        "a..b:1",
        "a___b:1",
        "-a:1",
        "a:1:2",
        "a:-1",
        "a:" + "t" * 129,
        "a@sha256:abc",
        "a@sha256",
        "x" * 256 + ":1",
        "a:1\n",
    ],
)
def test_what_is_no_reference_is_refused(reference):
    with pytest.raises(ValueError):
        parse_image(reference)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("caddy", f"has neither tag nor digest, which means `latest`: the version would be unknown. {EXAMPLE}"),
        (
            "caddy:latest",
            "has the tag `latest`, which moves: two customers could run different images, and no preview would show "
            "an upgrade. Name a version that does not move.",
        ),
        ("https://ghcr.io/a:1", "is a web address, not an image reference. Write `ghcr.io/a:1`."),
        ("Caddy:2", f"'Caddy:2' is not an image reference. {EXAMPLE}"),
        (
            "a@sha512:" + "a" * 128,
            f"has a digest that is not `sha256:` and 64 lower-case hexadecimal digits. {EXAMPLE}",
        ),
        (
            f"a@{DIGEST.replace('abcdef', 'ABCDEF')}",
            f"has a digest that is not `sha256:` and 64 lower-case hexadecimal digits. {EXAMPLE}",
        ),
        (5, "must be text, but YAML reads it as the number 5. Put it in quotes, as it is written in the file."),
    ],
)
def test_an_image_that_does_not_say_what_runs_is_refused(reference, message):
    assert complaint(fleet(release=RELEASE | {"gateway": reference})) == f"release.gateway: {message}"


def test_a_digest_pins_whatever_tag_stands_before_it():
    assert complaints(fleet(release=RELEASE | {"gateway": f"ghcr.io/a:latest@{DIGEST}"})) == []


def test_the_images_of_one_customer_are_judged_like_those_of_the_fleet():
    found = complaint(fleet(customer(release={"gateway": "a:latest"})))
    assert found.startswith("customer user123: customers[0].release.gateway: has the tag `latest`")


def test_a_browser_for_a_plan_without_one_is_refused():
    assert complaint(fleet(customer(release={"browser": "a:1"}))) == (
        "customer user123: customers[0].release.browser: has no effect: the plan pro has no browser. Remove the line."
    )


def test_a_prefix_takes_the_place_of_the_registry():
    release = load_fleet(fleet()).release.behind("10.1.0.1:5000/")
    assert release == Release(
        gateway="10.1.0.1:5000/openclaw/openclaw:2026.9.6",
        proxy="10.1.0.1:5000/library/caddy:2.11.9",
        browser="10.1.0.1:5000/chromedp/headless-shell:140.0",
    )


def test_a_prefix_keeps_the_digest():
    assert parse_image(f"caddy:2@{DIGEST}").behind("mirror:5000/") == f"mirror:5000/library/caddy:2@{DIGEST}"


def test_without_a_prefix_a_release_names_every_registry():
    release = Release(gateway="a/b:1", proxy="caddy:2", browser="ghcr.io/c:3").behind("")
    assert release == Release(gateway="docker.io/a/b:1", proxy="docker.io/library/caddy:2", browser="ghcr.io/c:3")


def test_an_override_changes_only_what_it_names():
    release = load_fleet(fleet()).release
    changed = release.override(ReleaseOverride(gateway="ghcr.io/openclaw/openclaw:2026.10.1"))
    assert changed.gateway == "ghcr.io/openclaw/openclaw:2026.10.1"
    assert (changed.proxy, changed.browser) == (release.proxy, release.browser)


_component = st.from_regex(r"[a-z0-9]+((\.|_|__|-{1,3})[a-z0-9]+){0,2}", fullmatch=True)


@given(
    registry=st.sampled_from(["", "docker.io/", "ghcr.io/", "localhost:5000/", "10.0.0.1:5000/"]),
    path=st.lists(_component, min_size=1, max_size=3),
    tag=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
)
def test_a_reference_written_in_full_is_read_back_unchanged(registry, path, tag):
    image = parse_image(f"{registry}{'/'.join(path)}:{tag}")
    assert parse_image(str(image)) == image
