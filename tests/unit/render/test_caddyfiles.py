from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra import render
from clawdet_infra.agent.package import TEMPLATES
from clawdet_infra.config import AcmeAccess, ConfigurationError, load_fleet
from tests.unit.render.examples import PINNED, customer, layout, raw_fleet


def caddyfile(plan: str, **options: Any) -> str:
    options.setdefault("acme_email", "ops@clawdet.test")
    bundle = render.bundle(customer(plan), images=PINNED, **options)
    return next(file.content for path, file in bundle.files.items() if path.endswith("/Caddyfile"))


def edge(**options: Any) -> str:
    options.setdefault("acme_email", "ops@clawdet.test")
    bundle = render.host_bundle(layout().shared_hosts[0], proxy=PINNED.proxy, **options)
    return next(file.content for path, file in bundle.files.items() if path.endswith("/Caddyfile"))


@pytest.mark.parametrize("plan", ["pro", "enterprise"])
def test_without_a_directory_certificates_come_from_the_public_authorities(plan: str) -> None:
    text = caddyfile(plan)
    assert "\temail ops@clawdet.test\n" in text
    assert "cert_issuer" not in text, "Caddy's own choice: Let's Encrypt, then ZeroSSL"


def test_with_a_directory_there_is_no_other_issuer(tmp_path: Path) -> None:
    root = tmp_path / "root.pem"
    root.write_text("-----BEGIN CERTIFICATE-----\n")
    acme = AcmeAccess(directory="https://10.0.0.1:14000/dir", root=str(root))
    for text in (caddyfile("pro", acme=acme), edge(acme=acme)):
        assert text.count("cert_issuer acme {") == 1
        assert "\t\tdir https://10.0.0.1:14000/dir\n\t\ttrusted_roots /etc/caddy/acme-root.pem\n" in text
    assert "trusted_roots" not in caddyfile("pro", acme=AcmeAccess(directory="https://acme.example/dir"))


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise"])
def test_what_goes_without_the_password_is_decided_before_it_and_on_the_target_as_it_was_sent(plan: str) -> None:
    text = caddyfile(plan)
    handles = ["ambiguous", "probe", "websocket", "api", "resource", "stranger", "handoff"]
    places = [text.index(f"\thandle @{name} {{\n") for name in handles]
    assert places == sorted(places), "the first that fits decides"
    assert text.count("import upstream") == 6
    assert text.rindex("import upstream") > text.index("handle @stranger"), "all else takes the password"
    # Caddy's own matcher of paths reads a target in a way of its own, and of several `vars_regexp` one is enough.
    gateway = text[text.index("@ambiguous") : text.index("http://127.0.0.1:8180")]
    assert not re.search(r"^\s*(?:@\w+ )?(?:not )?path(?:_regexp)? ", gateway, re.MULTILINE)
    matchers = re.findall(r"^\t@\w+ \{.*?\n\t\}", gateway, re.DOTALL | re.MULTILINE)
    assert len(matchers) == 5
    for matcher in matchers:
        assert len(re.findall(r"^\s*vars(?:_regexp)? ", matcher, re.MULTILINE)) == 1, matcher


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise"])
def test_neither_the_password_nor_a_slow_hash_of_it_is_in_the_file(plan: str) -> None:
    text = caddyfile(plan)
    assert "basic_auth" not in text
    assert "{env.BASIC_AUTH}" in text, "a placeholder, which Caddy fills in as it compares"
    assert "{$" not in text, "Caddy would read such a value as a part of the file"


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise", "edge"])
def test_who_comes_while_the_gateway_restarts_is_told_so_and_a_reload_cuts_nobody_off(plan: str) -> None:
    text = edge() if plan == "edge" else caddyfile(plan)
    assert text.count("handle_errors 502 503 504 {") == 1
    assert "\t\t\tRetry-After 5\n" in text
    assert text.count("stream_close_delay 1h") == text.count("reverse_proxy ") == 1
    assert "admin 127.0.0.1:2019" in text, "within the container alone"


def test_the_tenants_proxy_speaks_plain_http_to_the_edge_alone() -> None:
    text = caddyfile("free")
    assert "auto_https off" in text
    assert "header_up X-Forwarded-For {client_ip}" in text


SLOWEST_LINE = 2_000_000 / 8
"""Bytes a second of a slow line's upload."""


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise", "edge"])
def test_the_largest_upload_arrives_in_time_over_a_slow_line(plan: str) -> None:
    text = edge() if plan == "edge" else caddyfile(plan)
    (megabytes,) = re.findall(r"max_size (\d+)MB", text)
    (minutes,) = re.findall(r"\t\t\tread_body (\d+)m\n", text)
    assert int(megabytes) * 1e6 / SLOWEST_LINE <= int(minutes) * 60
    assert "\t\ttimeouts {\n\t\t\tread_header 10s\n" in text


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise", "edge"])
def test_the_health_check_of_a_proxy_is_answered_in_its_container_only(plan: str) -> None:
    text = edge() if plan == "edge" else caddyfile(plan)
    # The address of a site only says which names it answers to.
    assert text.endswith('http://127.0.0.1:8180 {\n\tbind 127.0.0.1\n\trespond /live "live" 200\n}\n')


def test_a_site_names_the_customer_and_the_proxy_on_the_customers_own_network() -> None:
    assert render.site(customer("free")) == "free-1.clawdet.test {\n\timport tenant free-1-proxy:8080\n}\n"


@pytest.mark.parametrize(
    "text", ["{$BASIC_AUTH}@x.test", "{env.BASIC_AUTH}", "a b", "a\nb", 'a"', "a`", "#", "", "{", "é"]
)
def test_a_value_that_caddy_could_read_as_its_own_language_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be written into a Caddyfile"):
        caddyfile("pro", acme=AcmeAccess.model_construct(directory=text or " ", root=None))
    if text:
        with pytest.raises(ValueError, match="cannot be written into a Caddyfile"):
            edge(acme_email=text)


@given(st.from_regex(r"[!-~]{1,12}@[a-z]{2,8}\.com", fullmatch=True))
def test_an_email_address_that_is_accepted_is_written_as_it_is(address: str) -> None:
    try:
        load_fleet(raw_fleet() | {"acmeEmail": address})
    except ConfigurationError:
        return
    assert f"\temail {address}\n" in edge(acme_email=address)


def test_without_an_address_for_the_authority_there_is_no_line_for_it() -> None:
    assert "email" not in caddyfile("pro", acme_email="")


# A number of the plan, or a text that stands in the templates themselves.
_PLAIN = re.compile(
    r"limits\.(?:cpus|memory|pids)|heap|path|key|icons|name|namespace|mount\(.*\)|browser_limits\.memory // 2"
    r"|part\.\w+\(.*\) \| indent\(\d\)|hardened\(.*\) \| indent\(\d\)|file\.(?:path|mode)"
    r"|host_key_private \| trim \| indent\(4\)"
)
_FILTERS = {"caddy": ("caddy", "comment"), "gateway": ("json",), "host": ("json", "b64"), "": ("compose", "comment")}


def test_every_value_in_a_template_goes_through_a_filter_of_its_language() -> None:
    seen = 0
    for file in TEMPLATES.rglob("*.j2"):
        folder = file.relative_to(TEMPLATES).parent.name
        for value in re.findall(r"\{\{-?\s*(.*?)\s*-?\}\}", file.read_text()):
            seen += 1
            known = value.rpartition(" | ")[2] in _FILTERS[folder] or _PLAIN.fullmatch(value)
            assert known, f"{file.name}: {value} needs one of the filters {_FILTERS[folder]}"
    assert seen > 40


def test_every_line_is_indented_as_caddy_formats_it() -> None:
    for text in (*(caddyfile(plan) for plan in ("free", "pro", "enterprise")), edge()):
        depth = 0
        for line in text.splitlines():
            if not line.strip():
                assert line == "", "a line of blanks"
                continue
            depth -= line.strip() == "}"
            assert line == "\t" * depth + line.strip(), f"Caddy warns at each start of: {line!r}"
            depth += line.endswith("{")
        assert depth == 0
