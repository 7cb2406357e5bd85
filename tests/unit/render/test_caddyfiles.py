from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawdet_infra import render
from clawdet_infra.model import AcmeAccess
from tests.unit.render.examples import PINNED, customer, layout

SECRET_PATHS = "path /tools/invoke /v1/* /api/* /sessions/* /avatar/* /__openclaw__/* /control-ui-config.json"


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
def test_only_the_probes_the_websocket_and_bearer_calls_go_without_the_password(plan: str) -> None:
    text = caddyfile(plan)
    assert text.count("basic_auth") == 2, "for the page, and for the credential that its browser asks for"
    assert "@probe path /healthz /readyz /startupz\n" in text
    assert f'@api {{\n\t\t{SECRET_PATHS}\n\t\theader Authorization "Bearer *"\n' in text
    guarded = text[text.rindex("\thandle {") :]
    assert guarded.index("basic_auth") < guarded.index("import upstream")


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise"])
def test_a_browsers_credential_takes_the_password_and_this_sites_own_page(plan: str) -> None:
    text = caddyfile(plan)
    handoff = text[text.index("\thandle @handoff {") : text.index("@websocket {")]
    assert handoff.index("basic_auth") < handoff.index("respond @foreign 403") < handoff.index("import upstream")
    assert "@foreign not header Sec-Fetch-Site same-origin\n" in handoff


@pytest.mark.parametrize("plan", ["free", "pro", "enterprise"])
def test_the_password_is_not_in_the_file(plan: str) -> None:
    assert "{$AUTH_USER} {$AUTH_HASH}" in caddyfile(plan)


def test_the_tenants_proxy_speaks_plain_http_to_the_edge_alone() -> None:
    text = caddyfile("free")
    assert "auto_https off" in text
    assert "header_up X-Forwarded-For {client_ip}" in text


def test_a_site_names_the_customer_and_the_proxy_on_the_customers_own_network() -> None:
    assert render.site(customer("free")) == "free-1.clawdet.test {\n\timport tenant free-1-proxy:8080\n}\n"


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
