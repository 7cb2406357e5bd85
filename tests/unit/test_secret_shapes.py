"""What looks like a secret is recognized, and taken out of text that others will read."""

from __future__ import annotations

import base64
import gzip

import pytest

from clawdet_infra.redaction import HIDDEN
from clawdet_infra.secret_shapes import SHAPES, kinds_of_secrets, redacted, resembles_secret

TOKEN = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-canary-0123456789-abcdefghijklmnop",
        TOKEN,
        TOKEN.upper(),
        "123456789:AAbbccddeeffgghhiijjkkllmmnnooppqqr",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nthat was cut off",
        "sk-ant-short",
        f"token={TOKEN}",
        "ghp_" + "a1B2" * 9,
        "Bearer abcdefghij0123456789",
    ],
)
def test_a_secret_is_taken_out(secret: str) -> None:
    told = redacted(f"it was {secret} here")
    assert secret not in told
    assert "[secret]" in told


def test_a_password_in_an_address_is_taken_out() -> None:
    assert redacted("postgresql://me:hunter2@host/db") == "postgresql://[secret]@host/db"


def test_digests_of_images_stay() -> None:
    text = f"ghcr.io/openclaw/openclaw:2026.9.6@sha256:{TOKEN}"
    assert redacted(text) == text


def test_a_terminal_is_not_moved() -> None:
    assert redacted("\x1b[31mred\x1b[0m\x07 <{%reset%}>x") == "red x"


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("an Anthropic API key", "sk-ant-api03-0123456789abcdef"),
        ("a Telegram bot token", "123456789:AAbbccddeeffgghhiijjkkllmmnnooppqqr"),
        ("a token of 64 characters", TOKEN),
        ("an access token", "glpat-0123456789abcdefghij"),
        ("a private key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
        ("a password in an address", "me:hunter2"),
        ("a bearer token", "abcdefghij0123456789"),
    ],
)
@pytest.mark.parametrize("after", ["", " ", "\x07", "\x08zero", "\x1b[0m"])
def test_what_a_policy_refuses_is_never_shown(kind: str, secret: str, after: str) -> None:
    around = {"a password in an address": ("https://", "@host"), "a bearer token": ("Authorization: Bearer ", "")}
    before, behind = around.get(kind, ("it was ", ""))
    text = f"{before}{secret}{behind}{after}"
    assert kind in SHAPES
    assert kinds_of_secrets(text) == [kind]
    assert secret not in redacted(text)


def test_a_secret_that_colours_split_is_taken_out() -> None:
    assert redacted(f"{TOKEN[:20]}\x1b[1m{TOKEN[20:]}") == HIDDEN


@pytest.mark.parametrize("pack", [lambda text: text, gzip.compress])
def test_a_packed_secret_is_recognized(pack: type[bytes]) -> None:
    packed = base64.b64encode(base64.b64encode(pack(f"x = sk-ant-{TOKEN}".encode()))).decode()
    assert kinds_of_secrets(packed) == ["an Anthropic API key"]


@pytest.mark.parametrize("text", ["sk-ant-", TOKEN[:24], "123456:" + "a" * 20, "a" * 40])
def test_what_resembles_a_secret_is_not_quoted(text: str) -> None:
    assert resembles_secret(f"it is {text}")
    assert not resembles_secret(f"it is {text[:5]}")
