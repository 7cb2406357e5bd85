"""What the engine's errors mean, in one sentence."""

from __future__ import annotations

import pytest

from clawdet_infra.engine.errors import explain


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stderr: error: failed to decrypt: incorrect passphrase, please set", "is not its passphrase"),
        ("error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or", "without its passphrase: set"),
        ("error: no stack named 'prod' found", "stack prod is not in the state's backend"),
        ("error: PULUMI_ACCESS_TOKEN must be set for login during", "nobody is logged in"),
        ("error: the stack is currently locked by 1 lock(s)", "clawdet recover -s prod"),
        (" code: 1\n stdout: \n stderr: error: something new", "stack prod cannot be read: something new"),
        ("", "stack prod cannot be read: the engine gave no reason"),
    ],
)
def test_an_error_of_the_engine_is_one_sentence(said: str, meant: str) -> None:
    sentence = explain("prod", said)
    assert meant in sentence
    assert "\n" not in sentence
    assert "stderr" not in sentence


def test_a_secret_in_an_error_does_not_show() -> None:
    assert "canary" not in explain("prod", "error: bad value canary-secret", ["canary-secret"])
