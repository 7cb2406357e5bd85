"""A stand-in for the command plugin that runs nothing, for fleets on a cloud without machines.

The engine talks to it in place of the real plugin where PULUMI_DEBUG_PROVIDERS says so.  It says that every command
went well, and keeps what it was given as the real one keeps it; so a preview with the real plugin finds the state as
if it had been at work.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from toolchain.pins import module_version, plugin_versions

_FRAMEWORK = module_version("command", "github.com/pulumi/pulumi-go-provider")


class IdleCommands(provider_pb2_grpc.ResourceProviderServicer):
    """Answers as a plugin whose commands all succeed, and those of the resource `held` not before it is released.

    Commands of resources in `failing` print what it says, and fail.
    """

    def __init__(self, held: str = "", failing: Mapping[str, str] | None = None) -> None:
        self.held = held
        self.failing = failing or {}
        self.released = threading.Event()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=plugin_versions()["command"])

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_outputs=False)

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs = struct_pb2.Struct()
        inputs.CopyFrom(request.news)
        # So does the framework that the real plugin is written in.
        inputs.update({"__pulumi-go-provider-version": f"v{_FRAMEWORK}"})
        return provider_pb2.CheckResponse(inputs=inputs)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        changed = request.old_inputs != request.news
        kind = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=kind)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.name == self.held:
            self.released.wait()
        self._may_fail(request, context)
        return provider_pb2.CreateResponse(id=f"{request.name}-idle", properties=_done(request.urn, request.properties))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._may_fail(request, context)
        return provider_pb2.UpdateResponse(properties=_done(request.urn, request.news))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def _may_fail(self, request: Any, context: Any) -> None:
        if (said := self.failing.get(request.name)) and not request.preview:
            # As the real plugin words it.
            context.abort(grpc.StatusCode.UNKNOWN, f'Process exited with status 1: running "the command":\n{said}\n')

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


def _done(urn: str, inputs: Any) -> Any:
    done = struct_pb2.Struct()
    done.CopyFrom(inputs)
    # A copy says nothing.
    if urn.split("::")[2].endswith(":Command"):
        done.update({"stdout": json.dumps({"status": "done"}), "stderr": ""})
    return done


@contextmanager
def idle_commands(held: str = "", failing: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Run the stand-in; what is yielded are the variables by which an engine finds it.

    The creation of the resource called `held` takes until the end of the block, so that an update can be killed in it.
    The commands of resources in `failing` print what it says, and fail.
    """
    pool = ThreadPoolExecutor(8)
    commands = IdleCommands(held, failing)
    server = grpc.server(pool, options=[("grpc.max_receive_message_length", 1 << 28)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(commands, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield {"PULUMI_DEBUG_PROVIDERS": f"command:{port}"}
    finally:
        commands.released.set()
        server.stop(None).wait()
        pool.shutdown()
