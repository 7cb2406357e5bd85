"""The plugin knows every input and output of the Python package, and nothing else."""

from __future__ import annotations

import inspect
import json
import subprocess
from typing import Any

import pulumi
import pytest

from tests.contract.command_plugin.sdk import local, remote
from toolchain import resolve

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def schema(engine: resolve.Engine) -> dict[str, Any]:
    [plugin] = [finding for finding in engine.findings if finding.name == "command"]
    command = ["pulumi", "package", "get-schema", str(plugin.path)]
    shown = subprocess.run(command, env=engine.environment(), capture_output=True, text=True, check=True)
    return dict(json.loads(shown.stdout))


def properties(cls: type) -> set[str]:
    """The names of the properties of a class of the package, as the engine knows them."""
    names = {name for name, value in inspect.getmembers(cls) if isinstance(value, property)}
    if not issubclass(cls, pulumi.CustomResource):
        return {camel(name) for name in names}
    return {camel(name) for name in names} - {"urn", "id", "pulumiResourceName", "pulumiResourceType"}


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


@pytest.mark.parametrize(
    ("token", "arguments", "resource"),
    [
        ("command:local:Command", local.CommandArgs, local.Command),
        ("command:remote:Command", remote.CommandArgs, remote.Command),
        ("command:remote:CopyToRemote", remote.CopyToRemoteArgs, remote.CopyToRemote),
        ("command:remote:CopyFile", remote.CopyFileArgs, remote.CopyFile),
    ],
)
def test_resources_have_the_properties_of_the_package(
    schema: dict[str, Any], token: str, arguments: type, resource: type
) -> None:
    served = schema["resources"][token]
    assert set(served["inputProperties"]) == properties(arguments)
    assert set(served["properties"]) == properties(resource)
    assert served["inputProperties"]["triggers"]["replaceOnChanges"]


@pytest.mark.parametrize("name", ["Connection", "ProxyConnection"])
def test_connections_have_the_properties_and_defaults_of_the_package(schema: dict[str, Any], name: str) -> None:
    arguments = getattr(remote, f"{name}Args")
    served = schema["types"][f"command:remote:{name}"]
    assert set(served["properties"]) == properties(arguments)
    assert served["required"] == ["host"]

    by_default = arguments(host="h")
    defaults = {key: value["default"] for key, value in served["properties"].items() if "default" in value}
    assert defaults == {"dialErrorLimit": 10, "perDialTimeout": 15, "port": 22, "user": "root"}
    assert defaults == {key: pulumi.get(by_default, snake(key)) for key in defaults}


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def test_the_function_has_the_arguments_and_results_of_the_package(schema: dict[str, Any]) -> None:
    served = schema["functions"]["command:local:run"]
    arguments = set(inspect.signature(local.run).parameters) - {"opts"}
    assert set(served["inputs"]["properties"]) == {camel(name) for name in arguments}
    assert set(served["outputs"]["properties"]) == properties(local.RunResult)


@pytest.mark.parametrize(("module", "choices"), [("local", local.Logging), ("remote", remote.Logging)])
def test_logging_has_the_choices_of_the_package(schema: dict[str, Any], module: str, choices: Any) -> None:
    served = schema["types"][f"command:{module}:Logging"]["enum"]
    assert {choice["value"] for choice in served} == {choice.value for choice in choices}


def test_the_version_is_the_one_that_the_package_asks_for(schema: dict[str, Any]) -> None:
    from importlib.metadata import version

    assert schema["version"] == version("pulumi-command")
