"""Text that others will read has nothing in it that looks like a secret."""

from __future__ import annotations

import pytest

from clawdet_infra.changes.scrubbing import scrubbed

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
    ],
)
def test_a_secret_is_taken_out(secret: str) -> None:
    told = scrubbed(f"it was {secret} here")
    assert secret not in told
    assert "[secret]" in told


def test_a_password_in_an_address_is_taken_out() -> None:
    assert scrubbed("postgresql://me:hunter2@host/db") == "postgresql://[secret]@host/db"


def test_digests_of_images_stay() -> None:
    text = f"ghcr.io/openclaw/openclaw:2026.9.6@sha256:{TOKEN}"
    assert scrubbed(text) == text


def test_a_terminal_is_not_moved() -> None:
    assert scrubbed("\x1b[31mred\x1b[0m\x07 <{%reset%}>x") == "red x"
