"""The images, run as the compose files run them: without privileges, on a Docker of this machine."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.host import ensure_docker
from localcloud.images.catalog import CATALOG, build_images
from localcloud.images.oci import Image
from tests.contract.services.docker_archive import load

pytestmark = pytest.mark.cloud

LOCKED_DOWN = ("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
# The program has this file capability, as in the public image, and does not start where it is forbidden.
MAY_BIND = ("--cap-add", "NET_BIND_SERVICE")
TOKEN = "7f" * 32


class Docker:
    """Containers of one test run, under names of their own."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.prefix = f"clawdet-images-{uuid.uuid4().hex[:8]}"
        self.images: dict[str, str] = {}
        self.containers: list[str] = []

    def attempt(self, *arguments: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        command = ["docker", "--host", self.host, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)

    def run(self, *arguments: str) -> str:
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def once(self, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
        return self.run("run", "--rm", *LOCKED_DOWN, *options, self.images[image], *command)

    def start(self, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
        name = f"{self.prefix}-{len(self.containers)}"
        self.containers.append(name)
        self.run("run", "--detach", "--name", name, *LOCKED_DOWN, *options, self.images[image], *command)
        return name

    def until(self, name: str, *command: str, wanted: str, seconds: float = 120.0) -> str:
        """What a command in the container prints once `wanted` is in it."""
        deadline = time.monotonic() + seconds
        while True:
            done = self.attempt("exec", name, *command)
            if wanted in done.stdout:
                return done.stdout
            logs = self.attempt("logs", "--tail", "20", name)
            assert time.monotonic() < deadline, f"{done.stdout}{done.stderr}\n{logs.stdout}{logs.stderr}"
            time.sleep(0.5)


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    found = Docker(ensure_docker().host)
    for image in build_images(lambda _: None):
        name = f"{found.prefix}/{image.reference}"
        load(found.host, image, name)
        found.images[image.repository] = name
    yield found
    if found.containers:
        found.attempt("rm", "--force", "--volumes", *found.containers)
    found.attempt("image", "rm", "--force", *found.images.values())


@pytest.fixture(scope="module")
def images() -> dict[str, Image]:
    return {image.repository: image for image in build_images(lambda _: None)}


def test_docker_finds_the_digests_in_the_configuration_to_be_right(docker: Docker, images: dict[str, Image]) -> None:
    """`docker load` checks every layer against the configuration, and keeps that under its digest."""
    for repository, image in images.items():
        identity = docker.run("image", "inspect", "--format", "{{.Id}}", docker.images[repository]).strip()
        assert identity == json.loads(image.manifest)["config"]["digest"]


def test_caddy_tells_its_version_and_serves_as_any_user(docker: Docker) -> None:
    version = next(recipe.tag for recipe in CATALOG if recipe.repository == "library/caddy")
    assert docker.once("library/caddy", "caddy", "version", options=MAY_BIND).strip() == f"v{version}"

    for user in ("0", "1000"):
        options = ("--user", user, *MAY_BIND, "--read-only", "--tmpfs", "/config:mode=1777")
        name = docker.start("library/caddy", options=options)
        assert "Caddy works" in docker.until(name, "wget", "-qO-", "http://127.0.0.1/", wanted="works")


def test_caddy_hashes_a_password_from_its_standard_input(docker: Docker) -> None:
    shell = "printf 'secret\\nsecret\\n' | caddy hash-password --algorithm bcrypt"
    assert docker.once("library/caddy", "sh", "-c", shell, options=MAY_BIND).strip().startswith("$2a$")


def test_the_gateway_starts_and_answers_its_probes(docker: Docker, tmp_path: Path) -> None:
    config = {
        "gateway": {"mode": "local", "auth": {"mode": "token"}, "controlUi": {"allowedOrigins": ["https://a.test"]}},
        "models": {"catalogRefresh": {"enabled": False}},
        "update": {"checkOnStart": False},
        "telemetry": {"enabled": False},
    }
    shell = "cat > $HOME/.openclaw/openclaw.json && exec node dist/index.js gateway --bind lan --port 18789"
    name = f"{docker.prefix}-gateway"
    docker.containers.append(name)
    environment = tmp_path / "env"
    environment.write_text(f"OPENCLAW_GATEWAY_TOKEN={TOKEN}\nANTHROPIC_API_KEY=sk-ant-{'x' * 30}\n")
    command = ["docker", "--host", docker.host, "run", "--interactive", "--name", name, *LOCKED_DOWN]
    command += ["--env-file", str(environment), docker.images["openclaw/openclaw"], "bash", "-c", shell]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        assert run.stdin
        run.stdin.write(json.dumps(config).encode())
        run.stdin.close()
        probe = ("curl", "--silent", "--max-time", "5")
        live = docker.until(name, *probe, "http://127.0.0.1:18789/healthz", wanted='"ok":true', seconds=180)
        ready = docker.until(name, *probe, "http://127.0.0.1:18789/readyz", wanted='"ready":true', seconds=180)
        invoke = (*probe, "--output", "/dev/null", "--write-out", "%{http_code}", "--request", "POST")
        url = "http://127.0.0.1:18789/tools/invoke"
        refused = docker.run("exec", name, *invoke, "--header", "Authorization: Bearer wrong", url)
        user = docker.run("exec", name, "id", "--user").strip()
        docker.run("rm", "--force", name)

    assert json.loads(live)["status"] == "live"
    assert json.loads(ready)["ready"] is True
    assert refused == "401"
    assert user == "1000", "the gateway does not run as root"


def test_the_gateway_refuses_to_listen_without_a_token(docker: Docker) -> None:
    command = ("node", "dist/index.js", "gateway", "--bind", "lan", "--port", "18789")
    done = docker.attempt("run", "--rm", *LOCKED_DOWN, docker.images["openclaw/openclaw"], *command)

    assert done.returncode != 0, "a gateway that anybody may use must not start"


@pytest.mark.parametrize(
    ("options", "command", "loopback_only"),
    [
        pytest.param((), (), False, id="as the public image starts it"),
        pytest.param(
            ("--entrypoint", "/headless-shell/headless-shell"),
            ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--remote-debugging-port=9222"),
            True,
            id="on the loopback only",
        ),
    ],
)
def test_the_browser_answers_on_its_port(
    docker: Docker, options: tuple[str, ...], command: tuple[str, ...], loopback_only: bool
) -> None:
    hardened = (*options, "--read-only", "--tmpfs", "/tmp:mode=1777")
    name = docker.start("chromedp/headless-shell", *command, options=hardened)
    # The browser keeps the connection open, so the question ends by itself.
    ask = (
        "exec 3<>/dev/tcp/127.0.0.1/9222; "
        "printf 'GET /json/version HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n' >&3; timeout 1 cat <&3"
    )
    answer = docker.until(name, "bash", "-c", ask, wanted="webSocketDebuggerUrl")

    assert "HeadlessChrome/" in answer
    listening = docker.run("exec", name, "cat", "/proc/net/tcp")
    addresses = {line.split()[1] for line in listening.splitlines()[1:] if line.split()[3] == "0A"}
    assert ("00000000:2406" in addresses) is not loopback_only, addresses


def test_the_browser_draws_a_page(docker: Docker) -> None:
    shell = (
        "/headless-shell/headless-shell --no-sandbox --use-gl=angle --use-angle=swiftshader "
        "--screenshot=/tmp/page.png 'data:text/html,<h1>drawn</h1>' >/dev/null 2>&1; head -c 8 /tmp/page.png | base64"
    )
    options = ("--entrypoint", "bash", "--read-only", "--tmpfs", "/tmp:mode=1777")
    assert docker.once("chromedp/headless-shell", "-c", shell, options=options).strip() == "iVBORw0KGgo="
