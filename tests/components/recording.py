"""Runs a Pulumi program against a recorder in place of an engine."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks, test
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

DIGEST = "sha256:" + "5" * 64


@dataclass
class Recorder(mocks.Mocks):
    """Remembers what was registered, and answers with what a provider would have added.

    What a provider would draw at random follows from the name here, so that two runs can be compared.
    """

    resources: dict[str, mocks.MockResourceArgs] = field(default_factory=dict)
    calls: list[mocks.MockCallArgs] = field(default_factory=list)
    stacks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        key = f"{args.typ}::{args.name}"
        assert key not in self.resources, f"{key} is declared twice"
        args.inputs = _comparable(args.inputs)
        self.resources[key] = args
        outputs = dict(args.inputs)
        if args.typ == "pulumi:pulumi:StackReference":
            outputs |= {"outputs": self.stacks[args.name], "secretOutputNames": ["login_key"]}
        if args.typ == "hcloud:index/server:Server":
            number = int(_digest(args.name)[:4], 16)
            outputs |= {"ipv4Address": f"10.64.{number // 256}.{number % 256}", "ipv6Address": f"fd00:{number:x}::1"}
        if args.typ == "random:index/randomPassword:RandomPassword":
            outputs["result"] = _digest(args.name)
        if args.typ.startswith("command:"):
            outputs["stdout"] = f"{args.name} done"
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        self.calls.append(args)
        return {"sha256Digest": DIGEST, "name": args.args["name"]}

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The inputs of all resources of a type, by logical name."""
        return {one.name: _unwrapped(one.inputs) for one in self.resources.values() if one.typ == kind}

    @property
    def names(self) -> set[str]:
        return {one.name for one in self.resources.values()}


def is_secret(value: Any) -> bool:
    """True where an input was marked secret on its way to the engine."""
    return isinstance(value, dict) and value.get(_special_sig_key) == _special_secret_sig


def _comparable(value: Any) -> Any:
    """A value with the paths of files in place of the SDK's objects, of which no two are equal."""
    if isinstance(value, pulumi.FileAsset):
        return f"the file {value.path}"
    return {key: _comparable(part) for key, part in value.items()} if isinstance(value, dict) else value


def _unwrapped(value: Any) -> Any:
    """A value without the wrappers that mark its parts as secret."""
    if isinstance(value, dict):
        if _special_sig_key in value:
            return _unwrapped(value["value"])
        return {key: _unwrapped(part) for key, part in value.items()}
    return [_unwrapped(part) for part in value] if isinstance(value, list) else value


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@contextmanager
def _event_loops() -> Iterator[None]:
    """An event loop here and in each thread of its executor, all closed at the end.

    Pulumi's mocks make one in each thread that has none, and leave it open.
    """
    loops: list[asyncio.AbstractEventLoop] = []

    def begin() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    begin()
    executor = ThreadPoolExecutor(initializer=begin)
    loops[0].set_default_executor(executor)
    try:
        yield
    finally:
        executor.shutdown()
        asyncio.set_event_loop(None)
        for loop in loops:
            loop.close()


def run(program: Callable[[], Any], stacks: dict[str, dict[str, Any]] | None = None) -> tuple[Recorder, Any]:
    """Run a program to its end, and return what it registered and what it returned, with all outputs known.

    `stacks` are the outputs of other stacks, by the name that a reference gives.
    """
    recorder = Recorder(stacks=stacks or {})
    returned: list[Any] = []

    @test
    def body() -> Any:
        return pulumi.Output.from_input(program()).apply(returned.append)

    with _event_loops():
        mocks.set_mocks(recorder, project="clawdet", stack="test", preview=False, organization="organization")
        body()
    return recorder, returned[0]
