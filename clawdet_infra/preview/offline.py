"""Previews a stack against a state with nothing in it, so that no secret is needed.

Everything encrypted is stood in for by a made-up value of the right form.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from clawdet_infra.config import parse_image, read_fleet
from clawdet_infra.config.stackfile import read_stack_file
from clawdet_infra.engine.process import EngineError
from clawdet_infra.engine.temporary import private_folder
from clawdet_infra.paths import ROOT
from clawdet_infra.preview.costs import Prices, PricesUnknownError
from clawdet_infra.preview.digests import digests
from clawdet_infra.preview.engine_plan import Previewed
from clawdet_infra.preview.fingerprint import CODE
from clawdet_infra.preview.run import SourceError
from clawdet_infra.preview.sources import CheckoutSource, references, without_digest
from clawdet_infra.preview.stacks import CheckoutStack

NOWHERE = "http://127.0.0.1:9/v1"
"""Nothing listens there, so whatever would ask the cloud fails at once and loudly."""

_STAND_IN_DIGEST = f"sha256:{'0' * 64}"
_EVERYTHING = "This is against an empty state: all that the stack would have is told as new."


class OfflineSource:
    """A stack of the checkout as if it had never been brought up; see `previewing.Source`."""

    def __init__(self, name: str, root: Path = ROOT) -> None:
        self._checkout = CheckoutSource(name, root)
        self._root = root
        self._notes = [_EVERYTHING]

    @property
    def name(self) -> str:
        """The stack's name."""
        return self._checkout.name

    def problems(self) -> Sequence[str]:
        """Return what is wrong with the stack's file, with lines."""
        return self._checkout.problems()

    def open(self) -> Previewed:
        """Return the stack with stand-ins for all that it keeps secret."""
        return _Emptied(self.name, self._root, self._configuration())

    def prices(self) -> Prices:
        """Raise PricesUnknownError: without a token nobody is told prices."""
        raise PricesUnknownError("an empty state is previewed without a token, and the provider tells prices to none")

    def fingerprint(self, *, policies: bool) -> str | None:
        """Return nothing: the engine is always asked."""
        del policies
        return None

    def version(self) -> str | None:
        """Return nothing: there is no state."""
        return None

    def notes(self) -> Sequence[str]:
        """Return what is different from a preview of the real stack."""
        return tuple(self._notes)

    def _configuration(self) -> dict[str, Any]:
        path = self._root / f"Pulumi.{self.name}.yaml"
        fleet, problems = read_fleet(path)
        if fleet is None:
            raise SourceError(f"{path.name} cannot be previewed alone: {'; '.join(map(str, problems))}")
        config = {key: _opened(value) for key, value in read_stack_file(path, "clawdet").config.items()}
        config["clawdet:cloud"] = {"endpoint": NOWHERE, "token": _letters(64)}
        config.pop("hcloud:token", None)
        if config.get("clawdet:zone") == "existing":
            # It would be looked up at the provider.
            config["clawdet:zone"] = "manage"
            self._notes.append("The zone is there already; it is told as new because nobody is asked for it here.")
        config["clawdet:customers"] = [_customer(one) for one in config.get("clawdet:customers") or []]
        pins = self._pins(without_digest(references(fleet, {})))
        config["clawdet:release"] = _pinned(config["clawdet:release"], pins)
        for one in config["clawdet:customers"]:
            if isinstance(one.get("release"), Mapping):
                one["release"] = _pinned(one["release"], pins)
        return config

    def _pins(self, tags: set[str]) -> dict[str, str]:
        answers = digests(tags)
        missing = sorted(name for name, answer in answers.items() if answer.missing)
        if missing:
            raise SourceError(
                f"no registry has the image {', '.join(missing)}: look whether `release` names it rightly"
            )
        silent = sorted({parse_image(name).registry for name, answer in answers.items() if answer.digest is None})
        if silent:
            self._notes.append(
                f"{', '.join(silent)} could not be asked for images, so nobody has seen that they are there; "
                "made-up digests stand in for theirs."
            )
        return {str(parse_image(name)): answer.digest or _STAND_IN_DIGEST for name, answer in answers.items()}


class _Emptied:
    """A copy of the project in a temporary folder, with a state and a passphrase of its own."""

    def __init__(self, name: str, root: Path, config: Mapping[str, Any]) -> None:
        self._name = name
        self._root = root
        self._config = config

    def preview(
        self,
        *,
        on_event: Callable[[Any], Any] | None = None,
        policy_packs: list[str] | None = None,
        refresh: bool | None = None,
    ) -> None:
        with private_folder() as project:
            environment = self._fill(project)
            stack = CheckoutStack(self._name, project, (), environment)
            stack.preview(on_event=on_event, policy_packs=policy_packs, refresh=refresh)

    def _fill(self, project: Path) -> dict[str, str]:
        """Write the project and make its stack; return the variables that it needs."""
        described = yaml.safe_load((self._root / "Pulumi.yaml").read_text(encoding="utf-8"))
        options = described.get("runtime", {}).get("options", {}) if isinstance(described.get("runtime"), dict) else {}
        if options.get("virtualenv"):
            options["virtualenv"] = str(self._root / options["virtualenv"])
        (project / "Pulumi.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
        shutil.copy(self._root / "__main__.py", project)
        (project / "state").mkdir()
        environment = {
            "PULUMI_BACKEND_URL": f"file://{project}/state?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(16),
            "PYTHONPATH": str(CODE),
            "CLAWDET_ROOT": str(project),
            "HCLOUD_TOKEN": "",
        }
        try:
            CheckoutStack(self._name, project, (), environment).create()
        except EngineError as error:
            raise SourceError(f"no throw-away state could be made: {' '.join(str(error).split())}") from None
        file = project / f"Pulumi.{self._name}.yaml"
        salted = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        file.write_text(yaml.safe_dump({**salted, "config": dict(self._config)}, sort_keys=False), encoding="utf-8")
        return environment


def _opened(value: Any) -> Any:
    """Return a value of a stack's file with nothing in it that pydantic would hide."""
    if isinstance(value, Mapping):
        return {key: _opened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_opened(one) for one in value]
    return value


def _customer(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    stood_in = {**entry, "anthropicApiKey": f"sk-ant-{_letters(40)}"}
    if "telegramBotToken" in entry:
        stood_in["telegramBotToken"] = f"{secrets.randbelow(9 * 10**8) + 10**8}:{_letters(35)}"
    # A token that is given makes the deployment known before anything is made, so that the policies can judge it.
    stood_in["gatewayToken"] = secrets.token_hex(32)
    stood_in.pop("authPassword", None)
    stood_in.pop("tokenVersion", None)
    return stood_in


def _pinned(release: Mapping[str, Any], pins: Mapping[str, str]) -> dict[str, Any]:
    return {role: _with_digest(reference, pins) for role, reference in release.items()}


def _with_digest(reference: Any, pins: Mapping[str, str]) -> Any:
    if not isinstance(reference, str) or parse_image(reference).digest is not None:
        return reference
    return f"{reference}@{pins[str(parse_image(reference))]}"


def _letters(count: int) -> str:
    return secrets.token_hex(count)[:count]
