"""Gateways in containers on this machine's Docker, with the settings of the compose file that customers get."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clawdet_infra import render
from clawdet_infra.config import Release, load_fleet
from clawdet_infra.layout import CustomerLayout, Layout, plan_layout
from localcloud.host import ensure_docker
from localcloud.images.catalog import CATALOG, build_images
from localcloud.images.oci import Image
from tests.support.docker import own_name
from tests.support.docker_archive import load

TOKEN = "7f" * 32
SECRETS = {
    "OPENCLAW_GATEWAY_TOKEN": TOKEN,
    "ANTHROPIC_API_KEY": "sk-ant-canary-0123456789-abcdefghijklmnop",
    "TELEGRAM_BOT_TOKEN": "123456789:AAbbccddeeffgghhiijjkkllmmnnooppqqr",
}
PORT = 18789
GATEWAY = ("node", "dist/index.js", "gateway", "--bind", "lan", "--port", str(PORT))
"""How the compose file starts the gateway once its configuration is written."""
START_SECONDS = 180.0
"""For the real gateway on a busy machine; nothing waits that long where it starts sooner."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    kind: str
    body: str
    length: str
    """The header Content-Length."""

    def json(self) -> Any:
        return json.loads(self.body)


class Docker:
    """This machine's Docker, and what one run of the tests made there."""

    def __init__(self) -> None:
        self.host = ensure_docker().host
        self.prefix = own_name("gateway")
        self._made: list[tuple[str, ...]] = []

    def attempt(self, *arguments: str, text: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        command = ["docker", "--host", self.host, *arguments]
        environment = {**os.environ, **variables}
        return subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=300, env=environment
        )

    def run(self, *arguments: str, text: str = "", **variables: str) -> str:
        done = self.attempt(*arguments, text=text, **variables)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def name(self, *remove: str) -> str:
        """A name for something new, which `docker REMOVE… NAME` removes at the end."""
        name = f"{self.prefix}-{len(self._made)}"
        self._made.append((*remove, name))
        return name

    def image(self, reference: str) -> Image:
        """Build an image of the local cloud's catalog, and load it under the name `self.loaded(reference)`."""
        (image,) = build_images(lambda _: None, catalog=[one for one in CATALOG if one.reference == reference])
        self._made.append(("image", "rm", "--force", self.loaded(reference)))
        load(self.host, image, self.loaded(reference))
        return image

    def loaded(self, reference: str) -> str:
        return f"{self.prefix}/{reference}"

    def clean(self) -> None:
        for command in reversed(self._made):
            self.attempt(*command)


@contextmanager
def docker() -> Iterator[Docker]:
    """This machine's Docker; what the tests make in it is removed at the end."""
    found = Docker()
    try:
        yield found
    finally:
        found.clean()


def customer(**changes: Any) -> CustomerLayout:
    """A customer with a server of their own; `changes` are keys of their entry in the fleet."""
    return fleet(**changes).customers[0]


def fleet(**changes: Any) -> Layout:
    """A fleet with one customer, as `customer` returns it, and a host for free ones."""
    return plan_layout(
        load_fleet(
            {
                "domain": "gateway.test",
                "acmeEmail": "ops@gateway.test",
                "cloud": {"token": "T1a2" * 16, "endpoint": "http://127.0.0.1:1/v1"},
                "release": {
                    "gateway": "registry.test/gateway:1",
                    "proxy": "registry.test/proxy:1",
                    "browser": "r.test/b:1",
                },
                "server": {"image": "debian-13", "type": "cx23", "location": "fsn1"},
                "ssh": {"sources": ["192.0.2.0/24"]},
                "rollout": {"waves": [100]},
                "sharedHosts": [{"id": "shared", "type": "cx33", "location": "fsn1", "capacity": 1}],
                "customers": [
                    {"id": "one", "plan": "pro", "anthropicApiKey": SECRETS["ANTHROPIC_API_KEY"], **changes},
                ],
            }
        )
    )


@dataclass(frozen=True)
class Service:
    """One service of a rendered compose file, beside the files that it mounts."""

    folder: Path
    settings: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        """What stands after the image; Docker takes the first word of an entrypoint as an option."""
        return [_plain(part) for part in [*self.settings.get("entrypoint", [])[1:], *self.settings["command"]]]

    @property
    def health(self) -> list[str]:
        """The command of the health check."""
        return [_plain(part) for part in self.settings["healthcheck"]["test"][1:]]

    def options(self, volume: str, *, without: Sequence[str] = (), cache: str | None = None) -> list[str]:
        """The options of `docker run`, with the state in `volume` and without some variables of the environment.

        What is compiled goes to the volume `cache`, or with the container where there is none.  Secrets are not in the
        options: Docker's client takes those from its own environment.
        """
        left = dict(self.settings)
        for elsewhere in ("image", "command", "healthcheck"):
            del left[elsewhere]
        options = []
        for key, value in left.items():
            for one in _OPTIONS[key](value):
                source = one.replace("--volume=state:", f"--volume={volume}:").replace("=./", f"={self.folder}/")
                source = source.replace("--volume=certificates:", "--tmpfs=")
                source = source.replace("--volume=compile-cache:", f"--volume={cache}:" if cache else "--tmpfs=")
                if source.removeprefix("--env=").partition("=")[0] not in without:
                    options.append(source)
        return options


_OPTIONS: Mapping[str, Callable[[Any], list[str]]] = {
    # A key that is missing here fails the tests, so that the containers stay what the compose file says.
    "entrypoint": lambda value: [f"--entrypoint={value[0]}"],
    # Tests ask each container at its own address, on the one network that they are on.
    "ports": lambda value: [],
    "networks": lambda value: [],
    "user": lambda value: [f"--user={value}"],
    "environment": lambda value: [_variable(name, one) for name, one in value.items()],
    "volumes": lambda value: [f"--volume={one}" for one in value],
    "tmpfs": lambda value: [f"--tmpfs={one}" for one in value],
    "hostname": lambda value: [f"--hostname={value}"],
    "stop_grace_period": lambda value: [f"--stop-timeout={value.removesuffix('s')}"],
    "restart": lambda value: [f"--restart={value}"],
    "read_only": lambda value: ["--read-only"] if value else [],
    "cap_drop": lambda value: [f"--cap-drop={one}" for one in value],
    "cap_add": lambda value: [f"--cap-add={one}" for one in value],
    "security_opt": lambda value: [f"--security-opt={one}" for one in value],
    "cpus": lambda value: [f"--cpus={value}"],
    "cpu_shares": lambda value: [f"--cpu-shares={value}"],
    "mem_limit": lambda value: [f"--memory={value}"],
    "memswap_limit": lambda value: [f"--memory-swap={value}"],
    "pids_limit": lambda value: [f"--pids-limit={value}"],
    "logging": lambda value: [
        f"--log-driver={value['driver']}",
        *(f"--log-opt={name}={one}" for name, one in value["options"].items()),
    ],
}


def _variable(name: str, value: str) -> str:
    return f"--env={name}" if re.fullmatch(r"\$\{\w+:\?[^}]*\}", value) else f"--env={name}={_plain(value)}"


def _plain(text: str) -> str:
    """A text as Compose reads it."""
    return text.replace("$$", "$")


def service(folder: Path, one: CustomerLayout, name: str = "gateway", *, offline: bool = True) -> Service:
    """Render a customer's deployment into `folder`, and return one of its services."""
    images = Release.model_construct(gateway="g", proxy="p", browser="b")
    bundle = render.bundle(one, images=images, acme_email="ops@gateway.test", offline=offline, own_ca=True)
    return written(folder, bundle, name)


def written(folder: Path, bundle: render.Bundle, name: str) -> Service:
    """Write a deployment into `folder`, and return one of its services."""
    for path, file in bundle.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(file.content)
        (folder / path).chmod(file.mode)
        if path.endswith("/Caddyfile"):
            # As a deployment does it.
            (folder / "live").mkdir(exist_ok=True)
            (folder / "live" / "Caddyfile").write_text(file.content)
    # Docker's daemon and user 1000 of the container go through the folders that pytest keeps to itself.
    for parent in (folder, *folder.parents):
        if parent == Path("/tmp"):
            break
        parent.chmod(parent.stat().st_mode | 0o011)
    return Service(folder, yaml.safe_load(bundle.files["compose.yaml"].content)["services"][name])


@dataclass
class Gateway:
    """A container with a gateway."""

    docker: Docker
    name: str
    address: str = field(init=False, default="")

    def started(self) -> Gateway:
        """Wait until the gateway serves, and learn its address."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        self.address = self.docker.run("inspect", "--format", form, self.name).strip()
        self.until("/startupz", lambda answer: answer.json()["ok"] is True)
        return self

    def until(
        self, path: str, wanted: Callable[[Answer], bool], *, seconds: float = START_SECONDS, pause: float = 0.2
    ) -> Answer:
        """The answer to a process beside the gateway, once it is as wanted."""
        end = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < end:
            try:
                last = answer = self.ask(path)
                if wanted(answer):
                    return answer
            except AssertionError as refused:
                last = refused
            time.sleep(pause)
        raise AssertionError(f"{path} is not as wanted after {seconds:.0f} s: {last}")

    def inside(self, *command: str, text: str = "") -> str:
        return self.docker.run("exec", "--interactive", self.name, *command, text=text)

    def ask(self, path: str, **how: Any) -> Answer:
        """Ask as a process beside the gateway does."""
        return curl(
            ["docker", "--host", self.docker.host, "exec", "--interactive", self.name], "127.0.0.1", path, **how
        )

    def ask_from(self, other: str | None, path: str, **how: Any) -> Answer:
        """Ask from another container on the gateway's network, or from this machine, which is the network's gateway."""
        through = ["docker", "--host", self.docker.host, "exec", "--interactive", other] if other else []
        return curl(through, self.address, path, **how)

    def logs(self) -> str:
        done = self.docker.attempt("logs", "--tail", "100", self.name)
        return done.stdout + done.stderr


def curl(
    through: Sequence[str],
    address: str,
    path: str,
    *,
    method: str = "GET",
    token: str | None = None,
    body: object = None,
    headers: Sequence[str] = (),
) -> Answer:
    """Ask with curl, which runs by the command `through`; secrets go by its standard input."""
    config = [f'url = "http://{address}:{PORT}{path}"', "head" if method == "HEAD" else f'request = "{method}"']
    config += [f'header = "{header}"' for header in headers]
    if token is not None:
        config.append(f'header = "Authorization: Bearer {token}"')
    if body is not None:
        text = json.dumps(body).replace('"', '\\"')
        config += [f'data = "{text}"', 'header = "Content-Type: application/json"']
    shown = "\n%{http_code} %header{content-length} %{content_type}"
    done = subprocess.run(
        [*through, "curl", "--silent", "--show-error", "--max-time", "20", "--write-out", shown, "--config", "-"],
        input="\n".join(config),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"curl {path}: {done.stderr}"
    content, _, facts = done.stdout.rpartition("\n")
    status, length, kind = facts.split(" ", 2)
    return Answer(int(status), kind.partition(";")[0], content, length)


@dataclass
class Lab:
    """Starts gateways of one image."""

    docker: Docker
    image: str
    network: str
    alias: str | None = None
    """A name that other containers on the network find each gateway by."""

    def start(self, gateway: Service, *command: str, volume: str | None = None, text: str = "") -> Gateway:
        """Start a gateway with the compose file's command or another one, and wait until it serves.

        `text` is written to the gateway's configuration file before, as the customer's.
        """
        volume = volume or self.volume()
        if text:
            self._write_configuration(gateway, volume, text)
        return self.run(gateway, *command, volume=volume).started()

    def run(self, gateway: Service, *command: str, volume: str | None = None, cache: str | None = None) -> Gateway:
        """Start a gateway without waiting for it."""
        name = self.docker.name("rm", "--force")
        options = [f"--network={self.network}", *gateway.options(volume or self.volume(), cache=cache)]
        options += [f"--network-alias={self.alias}"] if self.alias else []
        command = command or tuple(gateway.command)
        self.docker.run("run", "--detach", f"--name={name}", *options, self.image, *command, **SECRETS)
        return Gateway(self.docker, name)

    def refuse(
        self, gateway: Service, *command: str, volume: str | None = None, text: str = "", without: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Start a gateway that is expected to end at once, and return how it ended."""
        volume = volume or self.volume()
        if text:
            self._write_configuration(gateway, volume, text)
        options = [one for one in gateway.options(volume, without=without) if not one.startswith("--restart=")]
        how = ["run", "--rm", f"--name={self.docker.name('rm', '--force')}", "--network=none", *options]
        return self.docker.attempt(*how, self.image, *(command or gateway.command), **SECRETS)

    def volume(self) -> str:
        return self.docker.run("volume", "create", self.docker.name("volume", "rm", "--force")).strip()

    def prepare(self, gateway: Service, volume: str, script: str, text: str = "") -> None:
        """Run a shell script with the image on a state that no gateway uses."""
        options = [one for one in gateway.options(volume) if not one.startswith("--restart=")]
        how = [
            "run",
            "--rm",
            "--interactive",
            f"--name={self.docker.name('rm', '--force')}",
            "--network=none",
            *options,
        ]
        self.docker.run(*how, self.image, "sh", "-c", script, text=text, **SECRETS)

    def _write_configuration(self, gateway: Service, volume: str, text: str) -> None:
        self.prepare(gateway, volume, 'cat > "$OPENCLAW_CONFIG_PATH"', text)
