"""Encrypts single values as the engine does for a stack's file, with the stack's own secrets provider.

The engine does it, so every provider works: a passphrase, a key service, Pulumi Cloud.  It writes into a file of its
own, because `pulumi config set` would write the whole file of the stack in another form.  Values go to the engine by
stdin and are in no argument; what it writes is encrypted.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from clawdet_infra.engine.errors import explain
from clawdet_infra.engine.process import MissingEngineError, capture
from clawdet_infra.engine.temporary import private_folder
from clawdet_infra.paths import ROOT

_KEY = "clawdet:value"
_SECONDS = 120


class EncryptionError(Exception):
    """The engine did not encrypt or decrypt a value; the text says why.  No secret is in it."""


class StackEncryption:
    """Encryption of one stack.

    `settings` is what the stack's file says of it: `encryptionsalt`, `secretsprovider`, `encryptedkey`; none of them
    for a stack in Pulumi Cloud.
    """

    def __init__(self, stack: str, settings: Mapping[str, Any], root: Path = ROOT) -> None:
        self._stack = stack
        self._settings = dict(settings)
        self._root = root

    def encrypt(self, value: str) -> str:
        """Return a value as it may stand in the stack's file after `secure:`.  Raises EncryptionError."""
        with private_folder() as folder:
            file = self._file(folder, {})
            self._run(["set", "--secret", _KEY], file, value)
            written = yaml.safe_load(file.read_text(encoding="utf-8"))
        # An engine that finds no settings makes some, in its own file; the value could not be read with any others.
        if {key: value for key, value in written.items() if key != "config"} != self._settings:
            raise EncryptionError(
                f"the file of stack {self._stack} does not say how its secrets are encrypted. Encrypt a first one with "
                f"`pulumi config set --secret hcloud:token -s {self._stack}`, which writes that"
            )
        return str(written["config"][_KEY]["secure"])

    def decrypt(self, encrypted: str) -> str:
        """Return the value of what stands in the stack's file after `secure:`.  Raises EncryptionError."""
        with private_folder() as folder:
            return self._run(["get", _KEY], self._file(folder, {_KEY: {"secure": encrypted}})).removesuffix("\n")

    def _file(self, folder: Path, config: Mapping[str, Any]) -> Path:
        file = folder / f"Pulumi.{self._stack}.yaml"
        file.write_text(yaml.safe_dump({**self._settings, "config": dict(config)}), encoding="utf-8")
        return file

    def _run(self, arguments: list[str], file: Path, value: str = "") -> str:
        asked = ["config", *arguments, "--stack", self._stack, "--config-file", str(file)]
        try:
            done = capture(asked, cwd=self._root, value=value, seconds=_SECONDS)
        except MissingEngineError as error:
            raise EncryptionError(str(error)) from None
        except subprocess.TimeoutExpired:
            raise EncryptionError(f"the engine did not answer within {_SECONDS} s") from None
        if done.returncode != 0:
            raise EncryptionError(explain(self._stack, done.stderr, [value]))
        return done.stdout
