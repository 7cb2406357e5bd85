"""Makes the engine say things, and takes down what it says without what is of this machine or this run."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.contract.command_plugin.sshd import Keys, Sshd
from tests.contract.hcloud_api.running import TOKEN, RunningCloud, running_cloud
from tests.support.cloud import fault
from tests.support.idle_commands import idle_commands
from tests.support.stack import PASSPHRASE, ROOT, Stack, customer, wait_until

RECORDED = Path(__file__).with_name("recorded")
UPDATE = RECORDED / "update.jsonl"
SAID = "customer bob: probe restarts failed: gateway does not stay up; last answer: none"
REFUSALS = ("resource_unavailable", "resource_limit_exceeded", "forbidden", "uniqueness_error")
_POLICIES = ROOT / "policy" / "run"
_NO_TIMES = {"sequence": 0, "timestamp": 0}
_STEADY = (
    (r"(?<=, )[0-9a-f]{16}(?=\))", "0123456789abcdef"),
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "01234567-89ab-cdef-0123-456789abcdef"),
    (r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d", "2026-01-02T03:04:05"),
    (r"\(\d+(?:\.\d+)?s\)", "(1s)"),
)
_OTHERS = {"PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_ACCESS_TOKEN"}


@dataclass(frozen=True)
class Text:
    """What the engine said: how it ended, what it printed, and its events of errors and policies, as it wrote them."""

    command: str
    code: int
    stdout: str
    stderr: str
    events: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def read(cls, name: str, folder: Path = RECORDED) -> Text:
        content = json.loads((folder / f"{name}.json").read_text("utf-8"))
        return cls(**{**content, "events": tuple(content["events"])})

    def write(self, name: str, folder: Path = RECORDED) -> None:
        """Write the text without what differs from run to run, such as times."""
        told = {**asdict(self), "events": [{**one, **_NO_TIMES} for one in self.events]}
        # What the engine shows of its progress differs each time, and nobody reads it where there are events.
        told |= {"stdout": ""} if self.events and self.command.startswith("up") else {}
        text = json.dumps(told, indent=2, ensure_ascii=False)
        for pattern, always in _STEADY:
            text = re.sub(pattern, always, text)
        (folder / f"{name}.json").write_text(f"{text}\n", "utf-8")

    @property
    def errors(self) -> list[tuple[str, str]]:
        """The errors among the events: whose each is, and the message."""
        found = (one["diagnosticEvent"] for one in self.events if "diagnosticEvent" in one)
        return [(str(one.get("urn", "")).rpartition("::")[2], one["message"]) for one in found]


class Lab:
    """A stack called `prod` of a small program, and a cloud that refuses what it is told to."""

    def __init__(self, folder: Path, cloud: RunningCloud) -> None:
        self.folder = folder
        self.cloud = cloud
        self.project = folder / "stack"
        self.project.mkdir()
        (folder / "state").mkdir()
        (folder / "empty").mkdir()
        described = {"name": "texts", "runtime": {"name": "python", "options": {"virtualenv": str(ROOT / ".venv")}}}
        (self.project / "Pulumi.yaml").write_text(yaml.safe_dump(described))
        shutil.copy(Path(__file__).with_name("program.py"), self.project / "__main__.py")
        self.say("stack", "init", "prod")

    def environment(self, changes: Mapping[str, str | None]) -> dict[str, str]:
        own = {
            "PULUMI_BACKEND_URL": f"file://{self.folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DEBUG_COMMANDS": "true",
            "CLAWDET_ENDPOINT": self.cloud.endpoint,
            "CLAWDET_TOKEN": TOKEN,
            **{name: value for name, value in changes.items() if value is not None},
        }
        without = {"SSH_AUTH_SOCK", *_OTHERS, *(name for name, value in changes.items() if value is None)}
        inherited = {name: value for name, value in os.environ.items() if name not in without}
        return {**inherited, **{name: value for name, value in own.items() if name not in changes or changes[name]}}

    def say(self, *arguments: str, cwd: Path | None = None, **changes: str | None) -> Text:
        """What a command of the engine says; `changes` are variables, None for one that is missing."""
        log = self.folder / "events"
        log.unlink(missing_ok=True)
        logged = ["--event-log", str(log)] if arguments[0] in ("up", "preview") else []
        done = subprocess.run(
            ["pulumi", *arguments, *logged, "--non-interactive", "--color", "never"],
            cwd=cwd or self.project,
            env=self.environment(changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        events = [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []
        told = [one for one in events if _tells(one)]
        return Text(
            command=self.plain(" ".join(arguments)),
            code=done.returncode,
            stdout=self.plain(done.stdout),
            stderr=self.plain(done.stderr),
            events=tuple(json.loads(self.plain(json.dumps(one))) for one in told),
        )

    def up(self, text: str, *arguments: str, verb: str = "up", **changes: str | None) -> Text:
        """What the engine says of an update by the function `text` of the program."""
        confirmed = ["--yes", "--skip-preview"] if verb == "up" else []
        quietly = ("--suppress-outputs", "--suppress-progress")
        return self.say(verb, "--stack", "prod", *confirmed, *quietly, *arguments, CLAWDET_TEXT=text, **changes)

    def plain(self, text: str) -> str:
        """Return a text without what is this machine's or this run's."""
        for own, name in (
            (str(self.folder), "/lab"),
            (self.cloud.endpoint, "http://127.0.0.1:8080/v1"),
        ):
            text = text.replace(own, name)
        text = without_machine(text)
        text = re.sub(rf"\b{re.escape(getpass.getuser())}@machine\b", "user@machine", text)
        text = re.sub(r"(127\.0\.0\.1:)(?!8080)\d{4,5}", r"\g<1>2222", text)
        return re.sub(r"\(pid \d+\)", "(pid 4711)", text)


def without_machine(text: str) -> str:
    """Return a text without this machine's paths and name, and without the token."""
    own = {str(ROOT): "/checkout", str(Path.home()): "/home", TOKEN: "TOKEN", socket.gethostname(): "machine"}
    for one, name in own.items():
        text = text.replace(one, name)
    text = re.sub(r"/[\w./-]*/lib/python3[\d.]*/", "/python/", text)
    return re.sub(r"(?<=/kits/)[0-9a-f]+", "0123456789abcdef", text)


def _tells(event: Mapping[str, Any]) -> bool:
    return "policyEvent" in event or event.get("diagnosticEvent", {}).get("severity") == "error"


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """Run a cloud, and make a stack on it."""
    (folder / "cloud").mkdir()
    with running_cloud(folder / "cloud") as cloud:
        yield Lab(folder, cloud)


def wrong_passphrase(lab: Lab) -> Text:
    lab.say("config", "set", "--secret", "key", "value", "--stack", "prod")
    return lab.say("config", "--show-secrets", "--json", "--stack", "prod", PULUMI_CONFIG_PASSPHRASE="another")


def no_passphrase(lab: Lab) -> Text:
    lab.say("config", "set", "--secret", "key", "value", "--stack", "prod")
    return lab.say("config", "--show-secrets", "--json", "--stack", "prod", PULUMI_CONFIG_PASSPHRASE=None)


def no_stack(lab: Lab) -> Text:
    return lab.say("stack", "export", "--stack", "nobody")


def no_login(lab: Lab) -> Text:
    return lab.say("stack", "ls", "--json", PULUMI_BACKEND_URL=None, PULUMI_HOME=str(lab.folder / "home"))


def no_backend(lab: Lab) -> Text:
    return lab.say("stack", "ls", "--json", PULUMI_BACKEND_URL=f"file://{lab.folder}/nowhere")


def no_project(lab: Lab) -> Text:
    return lab.say("preview", "--stack", "prod", cwd=lab.folder / "empty")


def no_project_of_a_stack(lab: Lab) -> Text:
    """The same of a command that reads a stack alone."""
    return lab.say("stack", "output", "--json", "--stack", "prod", cwd=lab.folder / "empty")


def unknown_option(lab: Lab) -> Text:
    return lab.up("nothing", "--no-such-option")


def locked(lab: Lab) -> Text:
    """Another update holds the lock.  The lock itself is recorded beside."""
    until = lab.folder / "until"
    holder = subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--stack", "prod", "--non-interactive"],
        cwd=lab.project,
        env=lab.environment({"CLAWDET_TEXT": "waits", "CLAWDET_UNTIL": str(until)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        locks = lab.folder / "state" / ".pulumi" / "locks"
        lock = wait_until(lambda: next(locks.rglob("*.json"), None), seconds=60, what="the lock is taken")
        content = wait_until(lambda: lock.read_text(), seconds=10, what="the lock is written")
        said = lab.up("nothing")
    finally:
        until.touch()
        holder.wait()
    found = {**json.loads(content), "pid": 4711, "username": "user", "hostname": "machine"}
    return Text(said.command, said.code, said.stdout, said.stderr, (*said.events, {"lock": found}))


def refused(lab: Lab) -> Text:
    """The cloud refuses servers, each with another code."""
    access = {"endpoint": lab.cloud.endpoint, "token": TOKEN}
    with ExitStack() as faults:
        for code in REFUSALS:
            faults.enter_context(fault(access, "POST /servers", code=code, match={"name": _server(code)}))
        return lab.up("servers", "--continue-on-error", CLAWDET_SERVERS=",".join(map(_server, REFUSALS)))


def _server(code: str) -> str:
    return code.replace("_", "-")


def wrong_token(lab: Lab) -> Text:
    return lab.up("servers", CLAWDET_SERVERS="ada", CLAWDET_TOKEN="f" * 64)


def commands(lab: Lab) -> Text:
    """A command fails here, one on a server, and one whose server does not answer."""
    keys = Keys.generate(lab.folder / "keys")
    sshd = Sshd(keys, lab.folder / "sshd").start()
    try:
        access = {"CLAWDET_KEY": keys.private("user"), "CLAWDET_USER": getpass.getuser()}
        return lab.up("commands", "--continue-on-error", CLAWDET_PORT=str(sshd.port), **access)
    finally:
        sshd.stop()


def cut_off(lab: Lab) -> Text:
    return lab.up("cut_off")


def program_refuses(lab: Lab) -> Text:
    return lab.up("refuses", verb="preview")


def program_breaks(lab: Lab) -> Text:
    return lab.up("breaks", verb="preview")


def no_output(lab: Lab) -> Text:
    """Another stack lacks an output that this one needs."""
    lab.say("stack", "init", "base")
    return lab.up("reads_another_stack", verb="preview", CLAWDET_STACK="organization/texts/base")


def protected(lab: Lab) -> Text:
    """What is protected would be deleted."""
    lab.up("protected")
    return lab.up("unprotected", verb="preview")


def protected_replaced(lab: Lab) -> Text:
    """What is protected would be replaced."""
    lab.up("protected")
    return lab.up("replaced", verb="preview")


def policies(lab: Lab) -> Text:
    """Policies refuse a server."""
    return lab.up("servers", "--policy-pack", str(_POLICIES), verb="preview", CLAWDET_SERVERS="ada")


def history(lab: Lab) -> Text:
    """The history of a stack, whose last update has failed."""
    lab.say("stack", "init", "past")
    for text in ("nothing", "breaks"):
        lab.say("up", "--stack", "past", "--yes", "--skip-preview", CLAWDET_TEXT=text)
    return lab.say("stack", "history", "--stack", "past", "--json", "--page-size", "20", "--page", "1")


Scenario = Callable[[Lab], Text]
SCENARIOS: Mapping[str, Scenario] = {
    one.__name__: one
    for one in (
        wrong_passphrase,
        no_passphrase,
        no_stack,
        no_login,
        no_backend,
        no_project,
        no_project_of_a_stack,
        unknown_option,
        locked,
        refused,
        wrong_token,
        commands,
        cut_off,
        program_refuses,
        program_breaks,
        no_output,
        protected,
        protected_replaced,
        policies,
        history,
    )
}


def update(folder: Path) -> list[Mapping[str, Any]]:
    """The events of an update that brings two customers up, and the deployment of one of them fails.

    Of resources there is what the product reads: the rest is large, and may hold secrets.
    """
    example = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    digest = "sha256:" + "5" * 64
    log = folder / "log"
    with running_cloud(folder) as cloud, idle_commands(failing={"bob-deployment": SAID}) as idle:
        stack = Stack(folder / "stack", name="prod", extra_env={**idle, "PULUMI_DEBUG_COMMANDS": "true"}).init()
        stack.configure(
            {
                **example,
                "clawdet:cloud": {"endpoint": cloud.endpoint, "token": TOKEN},
                "clawdet:release": {role: f"{tag}@{digest}" for role, tag in example["clawdet:release"].items()},
                "clawdet:rollout": {"waves": [100]},
                "clawdet:customers": [customer("ada", "pro"), customer("bob", "pro")],
            }
        )
        done = stack.up("--continue-on-error", "--event-log", str(log))
    assert done.code != 0, done.output
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    found = [reduced for one in events if (reduced := _reduced(one)) is not None]
    return [json.loads(without_machine(json.dumps(one))) for one in found]


def _reduced(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kind = next(iter(event.keys() - {"sequence", "timestamp"}))
    content = event[kind]
    if kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
        metadata = content["metadata"]
        states = {side: metadata[side] and _reduced_state(metadata[side]) for side in ("old", "new")}
        content = {"metadata": {"op": metadata["op"], "urn": metadata["urn"], "type": metadata["type"], **states}}
    elif kind == "diagnosticEvent":
        if content["severity"] != "error":
            return None
    elif kind != "summaryEvent":
        return None
    else:
        content = {key: value for key, value in content.items() if key != "durationSeconds"}
    return {"sequence": 0, "timestamp": 0, kind: content}


def _reduced_state(state: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = {key: state[key] for key in ("type", "urn", "custom", "parent", "protect") if key in state}
    inputs = {key: value for key, value in (state.get("inputs") or {}).items() if key == "labels"}
    outputs = {key: value for key, value in (state.get("outputs") or {}).items() if key in ("url", "ipv4Address")}
    return {**kept, "inputs": inputs, "outputs": outputs}
