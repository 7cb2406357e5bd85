"""A stand-in for Docker on a server: it keeps what there is in a file and can be told how things go wrong.

The folder that it lies in holds `world.json` (images, containers, networks, volumes) and `calls.jsonl` (each call's
arguments).  What an image is called decides how its gateway behaves:
`…dying…` stops again and again, `…unready…` never gets ready, `…picky…` refuses data that a newer one has written.
"""

from __future__ import annotations

import io
import json
import shutil
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from clawdet_infra.agent.commands import CommandResult

World = dict[str, Any]

# The program `docker` only passes the call on: a Python for each call would take most of a test's time.
_CLIENT = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/PORT
{
    printf '%s\\0' "$#" "$@"
    for name in $(compgen -e); do printf '%s\\0' "$name=${!name}"; done
    printf '\\0'
} >&3
for part in output errors code; do IFS= read -r -d '' "$part" <&3; done
printf %s "$output"
printf %s "$errors" >&2
exit "$code"
"""


class _FailedError(Exception):
    """What Docker writes to stderr, and its exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class FakeDocker:
    """Docker, for whoever calls it in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._world = folder / "world.json"

    def answer(self, arguments: Sequence[str], environment: Mapping[str, str]) -> CommandResult:
        """Do what `docker` does when it is called with these arguments, and return what it says."""
        with (self._folder / "calls.jsonl").open("a") as calls:
            calls.write(json.dumps(arguments) + "\n")
        world = json.loads(self._world.read_text())
        call = _Call(world, self._folder, list(arguments), environment, self._save)
        try:
            call.act()
        except _FailedError as failure:
            return CommandResult(failure.code, call.output.getvalue(), f"{failure}\n")
        return CommandResult(0, call.output.getvalue(), "")

    def _save(self, world: World) -> None:
        new = self._world.with_suffix(".new")
        new.write_text(json.dumps(world, indent=1))
        new.rename(self._world)


class DockerProgram:
    """A program called `docker`, for whoever runs it from a folder; it answers until it is closed."""

    def __init__(self, folder: Path) -> None:
        docker = FakeDocker(folder)

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                words = _words(self.rfile)
                arguments = [next(words) for _ in range(int(next(words)))]
                environment = dict(word.split("=", 1) for word in iter(words.__next__, ""))
                answer = docker.answer(arguments, environment)
                said = (answer.output, answer.errors, str(answer.code))
                self.wfile.write("".join(f"{part}\0" for part in said).encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        program = folder / "docker"
        program.write_text(_CLIENT.replace("PORT", str(self._server.server_address[1])))
        program.chmod(0o755)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _words(stream: Any) -> Iterator[str]:
    """The words of a stream, each of which ends with a null byte."""
    while True:
        word = bytearray()
        while (byte := stream.read(1)) != b"\0":
            if not byte:
                return
            word += byte
        yield word.decode()


class _Call:
    """One call of Docker, with arguments as they come after `docker`."""

    def __init__(
        self,
        world: World,
        folder: Path,
        arguments: list[str],
        environment: Mapping[str, str],
        save: Callable[[World], None],
    ) -> None:
        self.output = io.StringIO()
        self._world, self._folder, self._arguments = world, folder, arguments
        self._environment, self._save_world = environment, save

    def act(self) -> None:
        """Do it; raise _FailedError where Docker fails."""
        world = self._world
        match self._arguments:
            case ["info", *_]:
                self._print("26.1.5")
            case ["compose", *_]:
                self._compose()
            case ["image", "inspect", *_, image]:
                if image not in world["images"]:
                    raise _FailedError("no such image")
            case ["image", "rm", image]:
                world["images"].remove(image)
                self._save()
            case ["pull", *_, image]:
                if image not in world["registry"]:
                    raise _FailedError(f"manifest for {image} not found")
                world["images"].append(image)
                self._save()
            case ["volume", *_]:
                self._volume()
            case ["network", *_]:
                self._network()
            case ["ps", *_]:
                found = world["containers"]
                every = "--all" in self._arguments
                self._print("\n".join(one for one in self._matching(found) if every or found[one]["running"]))
            case ["inspect", *names]:
                self._print(json.dumps([{"Id": name, **self._inspected(world["containers"][name])} for name in names]))
            case ["rm", "--force", "--volumes", name]:
                self._forget_container(name)
                self._save()
            case ["stop", name]:
                world["containers"][name]["running"] = False
                self._save()
            case ["restart", name]:
                world["containers"][name] |= {"running": True, "health": "healthy"}
                _take_configuration(world["containers"][name])
                self._save()
            case ["exec", name, "caddy", "reload", *_]:
                self._reload(world["containers"][name])
            case _:
                raise _FailedError(f"the stand-in does not know: docker {' '.join(self._arguments)}", 64)

    def _reload(self, proxy: dict[str, Any]) -> None:
        if proxy.get("health", "healthy") != "healthy":
            raise _FailedError("Error: sending configuration to instance: connection refused")
        before = proxy.get("loaded")
        _take_configuration(proxy)
        if "broken" in proxy.get("loaded", ""):
            proxy["loaded"] = before
            raise _FailedError("Error: adapting config: unrecognized directive")
        text = {site.name: site.read_text() for site in Path(self._world["sites"]).glob("*.caddy")}
        if any("refused" in one for one in text.values()):
            raise _FailedError("Error: adapting config: unrecognized directive")
        if len({one.split(" ")[0] for one in text.values()}) < len(text):
            raise _FailedError("Error: adapting config: ambiguous site definition")
        self._world["serving"] = text
        self._save()

    def _volume(self) -> None:
        volumes = self._world["volumes"]
        match self._arguments[1:]:
            case ["create", *_, name]:
                if name not in volumes:
                    folder = self._folder / "volumes" / name / "_data"
                    folder.mkdir(parents=True)
                    own = dict(one.split("=", 1) for one in self._options("--label"))
                    volumes[name] = {"labels": own, "folder": str(folder)}
                    self._save()
            case ["inspect", *_, name]:
                if name not in volumes:
                    raise _FailedError(f"no such volume: {name}")
                self._print(volumes[name]["folder"])
            case ["ls", *_]:
                self._print("\n".join(self._matching(volumes)))
            case ["rm", *_, name]:
                if any(name in one["volumes"] for one in self._world["containers"].values()):
                    raise _FailedError(f"remove {name}: volume is in use")
                shutil.rmtree(Path(volumes.pop(name)["folder"]).parent)
                self._save()
            case _:
                raise _FailedError(f"the stand-in does not know: docker {' '.join(self._arguments)}", 64)

    def _network(self) -> None:
        networks = self._world["networks"]
        match self._arguments[1:]:
            case ["ls", *_]:
                self._print("\n".join(self._matching(networks)))
            case ["connect", network, name]:
                members = networks[network]["members"]
                if name in members:
                    raise _FailedError(f"endpoint with name {name} already exists in network {network}")
                members.append(name)
                self._save()
            case ["disconnect", "--force", network, name]:
                if name not in networks.get(network, {"members": []})["members"]:
                    raise _FailedError(f"container {name} is not connected to network {network}")
                networks[network]["members"].remove(name)
                self._save()
            case ["inspect", *_, name]:
                self._print(" ".join(networks[name]["members"]))
            case ["rm", name]:
                if networks[name]["members"]:
                    raise _FailedError(f"network {name} has active endpoints")
                del networks[name]
                self._save()
            case _:
                raise _FailedError(f"the stand-in does not know: docker {' '.join(self._arguments)}", 64)

    def _compose(self) -> None:
        arguments, world = self._arguments, self._world
        command = next(one for one in ("version", "up", "logs") if one in arguments)
        if command == "version":
            return self._print("2.26.1")
        project, file = self._options("--project-name")[-1], Path(self._options("--file")[0])
        if command == "logs":
            error = f"Error: the machine says no, token={_secret_of(file)}\n    at start (gateway.js:1)"
            return self._print(f"starting\n{error}\nNode.js v22")

        world["ups"] += 1
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = yaml.load(file.read_text(), loader)
        services, volumes = content["services"], content.get("volumes", {})
        for volume in volumes.values():
            if volume.get("external") and volume["name"] not in world["volumes"]:
                raise _FailedError(f"external volume {volume['name']} not found")
        environment = Path(self._options("--env-file")[-1]).read_text()
        # As Compose does it: variables of its own environment come before those of the file.
        environment += "".join(f"{name}='{value}'\n" for name, value in self._environment.items())
        wanted = [one for one in arguments[arguments.index("--pull") + 2 :] if not one.startswith("-")]
        chosen = set(wanted) or set(services)
        for name in list(chosen):
            chosen |= set(services[name].get("depends_on", []))
        for name in chosen:
            self._start(project, name, services[name], volumes, environment)
        if "--remove-orphans" in arguments:
            for one, container in list(world["containers"].items()):
                if container["project"] == project and container["service"] not in services:
                    self._forget_container(one)
        return self._save()

    def _start(
        self, project: str, name: str, service: dict[str, Any], volumes: dict[str, Any], environment: str
    ) -> None:
        """Make a service's container, or leave the one that has the same settings."""
        world = self._world
        if service["image"] not in world["images"]:
            raise _FailedError(f"no such image: {service['image']}")
        used = [line for line in environment.splitlines() if f"${{{line.split('=')[0]}:" in json.dumps(service)]
        settings = json.dumps([service, used], sort_keys=True)
        containers = world["containers"]
        old = next((one for one, c in containers.items() if (c["project"], c["service"]) == (project, name)), None)
        if old and containers[old]["settings"] == settings:
            if not containers[old]["running"]:
                _take_configuration(containers[old])
            containers[old]["running"] = True
            return
        if old:
            self._forget_container(old)
        world["made"] += 1
        made = f"c{world['made']}"
        containers[made] = container = {
            "project": project,
            "service": name,
            "image": service["image"],
            "settings": settings,
            "running": True,
            "restart": "no" if len(self._options("--file")) > 1 else service["restart"],
            "labels": {
                "com.docker.compose.project": project,
                "com.docker.compose.project.working_dir": self._options("--project-directory")[-1],
                "com.docker.compose.service": name,
            },
            "volumes": [
                volumes[one.split(":")[0]].get("name", f"{project}_{one.split(':')[0]}")
                for one in service.get("volumes", [])
                if one[0] not in "./"
            ],
            "reads_live": any(one.startswith("./live:") for one in service.get("volumes", [])),
        }
        _take_configuration(container)
        for network in service.get("networks", ["default"]):
            own = {"com.docker.compose.project": project}
            if network == "edge":
                own["clawdet.edge"] = "tenant"
            full = f"{project}_{network}"
            world["networks"].setdefault(full, {"labels": own, "members": []})["members"].append(made)
        if name == "gateway" and "dying" not in service["image"]:
            written = Path(world["volumes"][f"{container['project']}_state"]["folder"]) / "written-by"
            if "picky" not in service["image"] or not written.exists():
                written.write_text(service["image"])

    def _forget_container(self, name: str) -> None:
        del self._world["containers"][name]
        for network in self._world["networks"].values():
            network["members"] = [one for one in network["members"] if one != name]

    def _inspected(self, container: dict[str, Any]) -> dict[str, Any]:
        dying = "dying" in container["image"] and container["service"] == "gateway"
        once = container["restart"] == "no"
        status = ("exited" if once else "restarting") if dying else "running" if container["running"] else "exited"
        return {
            "Config": {"Labels": container["labels"]},
            "HostConfig": {"RestartPolicy": {"Name": container["restart"]}},
            "RestartCount": 3 if dying and not once else 0,
            "NetworkSettings": {"Networks": self._networks_of(container)},
            "Mounts": [{"Type": "volume", "Name": one} for one in container["volumes"]],
            "State": {
                "Status": status,
                "ExitCode": 1 if dying else 0,
                "Health": {"Status": container.get("health", "healthy"), "Log": []},
            },
        }

    def _networks_of(self, container: dict[str, Any]) -> dict[str, Any]:
        """The gateways of these tests answer on loopback addresses; see gateways.py."""
        if container["service"] == "namespace" or '"network_mode"' not in container["settings"]:
            address = self._world["addresses"].get(container["project"], "")
            return {f"{container['project']}_default": {"IPAddress": address}}
        return {}

    def _options(self, name: str) -> list[str]:
        return [self._arguments[place + 1] for place, one in enumerate(self._arguments) if one == name]

    def _matching(self, things: dict[str, Any]) -> Iterator[str]:
        """The names of those that have the labels that are filtered by."""
        filters = [one.removeprefix("label=") for one in self._options("--filter") if one.startswith("label=")]
        wanted = [one.partition("=") for one in filters]
        return (name for name, one in things.items() if all(one["labels"].get(key) == text for key, _, text in wanted))

    def _print(self, text: str) -> None:
        print(text, file=self.output)

    def _save(self) -> None:
        self._save_world(self._world)


def _secret_of(file: Path) -> str:
    lines = (file.parent / ".env").read_text().splitlines()
    return lines[0].partition("=")[2].strip("'") if lines else ""


def _take_configuration(container: dict[str, Any]) -> None:
    """Let a proxy read its configuration, as it does when it starts or is told to."""
    if container["reads_live"]:
        folder = Path(container["labels"]["com.docker.compose.project.working_dir"])
        container["loaded"] = (folder / "live" / "Caddyfile").read_text()
