"""How long it takes to be told that nothing changes in a fleet, with and without asking the engine.

One stack of `--customers` is really brought up by the engine and the provider's code, on a cloud without machines; the
commands on servers are run by nobody.  First it is the base of `--cells` cells, whose states are copies of its own and
whose customers are in a registry: `clawdet preview` tells by their fingerprints that nothing changes.  Then there are
as many stacks, with copies of its file and its state under names of their own, which are unchanged for the engine too:
`clawdet preview --full` looks at all of them.  Where there is a `terraform`, `terraform plan` then looks at as many of
the same resources, made by the same providers on a cloud of the same kind.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import yaml

from bench.machine import facts, spread
from bench.processes import ProcessorByProgram
from bench.terraform import Terraform
from clawdet_infra.automation.cells import CellSource
from clawdet_infra.catalog import Applied, Catalog
from clawdet_infra.engine.state_files import checkpoint
from clawdet_infra.preview.sources import CheckoutSource
from tests.contract.hcloud_api.running import CONFIG, TOKEN, running_cloud
from tests.support.idle_commands import idle_commands
from tests.support.signups import marked, signup, want
from tests.support.stack import ROOT, Stack, customer
from toolchain import resolve

DIGEST = "sha256:" + "5" * 64


def make(folder: Path, customers: int, endpoint: str) -> Stack:
    """Return a stack that is up."""
    example = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    stack = Stack(folder, name="first").init()
    stack.configure(
        {
            **example,
            "clawdet:cloud": {"endpoint": endpoint, "token": TOKEN},
            "clawdet:release": {role: f"{tag}@{DIGEST}" for role, tag in example["clawdet:release"].items()},
            "clawdet:sharedHosts": [],
            "clawdet:customers": [customer(f"customer-{number}", "pro") for number in range(customers)],
        }
    )
    with idle_commands() as idle:
        stack.extra_env.update(idle)
        stack.clawdet_up("--no-policy").ok()
    stack.extra_env.clear()
    return stack


def states_of(stack: Stack) -> Path:
    """Where the states of a stack and of its copies are."""
    state = checkpoint(stack.backend, "clawdet", stack.name)
    assert state is not None
    return state.parent


def sign_up(base: Stack, cells: int, customers: int) -> None:
    """Make cells of customers who all are up over a stack, as far as can be seen without the engine."""
    states = states_of(base)
    image = base.config()["clawdet:release"]["gateway"]
    source = CheckoutSource(base.name, base.folder)
    with Catalog.open(root=base.folder) as registry:
        for number in range(cells * customers):
            want(registry, signup(f"signup-{number}"), base=base.name, cell_size=customers)
        for cell in (one.stack for one in registry.cells(base.name) if one.number is not None):
            shutil.copy(states / f"{base.name}.json", states / f"{cell}.json")
            rows = [one for one in registry.instances(base.name) if one.cell == cell]
            done = {one.id: Applied(revision=one.revision, ok=True, facts={"image": image}) for one in rows}
            registry.applied(cell, done)
            registry.set_mark(cell, base.name, marked(CellSource(cell, source), policies=False))
        registry.set_mark(base.name, base.name, marked(source, policies=False))


def forget_cells(base: Stack) -> None:
    """Take the registry and the states of the cells away again."""
    shutil.rmtree(base.folder / ".clawdet")
    for state in states_of(base).glob(f"{base.name}-cell-*"):
        state.unlink()


def copy(stack: Stack, number: int) -> None:
    """Make a stack like another one, under a name of its own."""
    other = Stack(stack.folder, name=f"copy-{number}")
    shutil.copy(stack.file, other.file)
    states = states_of(stack)
    state = (states / f"{stack.name}.json").read_text()
    for named in ("urn:pulumi:{}::", "clawdet-{}", "/clawdet/{}"):
        state = state.replace(named.format(stack.name), named.format(other.name))
    (states / f"{other.name}.json").write_text(state)


def megabytes(stack: Stack) -> float:
    """The size of all states beside a stack's."""
    return sum(file.stat().st_size for file in states_of(stack).glob("*.json")) / 1e6


def timed(repeat: int, action: Callable[[], object]) -> str:
    """How long something takes, and how much of the processors all that it starts uses."""
    taken, processor = [], []
    for _ in range(repeat):
        begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        action()
        taken.append(time.perf_counter() - begun)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return f"{spread(taken)}; processor {spread(processor)}"


def look(stack: Stack, repeat: int, *arguments: str) -> str:
    """How long `clawdet preview` takes over all stacks of the folder, each of which has to be unchanged."""

    def preview() -> None:
        options = ("--all-stacks", "--no-policy", "--expect-no-changes")
        stack.run("clawdet", "preview", *options, *arguments, timeout=3600).ok()

    return timed(repeat, preview)


def managed(stack: Stack) -> Counter[str]:
    """How many resources a stack has that a provider looks after, by their type in Terraform."""
    found: Counter[str] = Counter()
    for kind in (one["type"] for one in stack.export()["deployment"]["resources"]):
        package, name = kind.partition(":")[0], re.sub("(?<!^)(?=[A-Z])", "_", kind.rpartition(":")[2]).lower()
        match package:
            case "pulumi" | "clawdet":
                continue
            case "command":
                name = "terraform_data"
            case "hcloud":
                name = f"hcloud_{name}"
        found[name] += 1
    return found


def beside(terraform: str, folder: Path, cloud: str, options: argparse.Namespace, expected: Counter[str]) -> None:
    """Say how long `terraform plan` takes over the same resources."""
    other = Terraform(terraform, folder, cloud)
    made = other.make(options.customers, options.cells)
    print(f"Terraform {other.version()}, in each stack {dict(made)}", flush=True)
    assert made == expected, f"the engine has {dict(expected)}"
    for said, arguments in (("with what the cloud says", ()), ("from the state alone", ("-refresh=false",))):
        taken = timed(options.repeat, lambda arguments=arguments: other.plan(options.concurrency, *arguments))
        print(f"unchanged, by terraform plan, {said}  {taken}, {options.concurrency} at a time", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--customers", type=int, default=50, help="in each cell")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument(
        "--terraform", default=shutil.which("terraform"), help="the program; what is on PATH if not given"
    )
    options = parser.parse_args()
    os.environ.update(resolve.ensure(print).environment())
    print(facts(), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="clawdet-bench-"))
    try:
        with running_cloud(folder, replace(CONFIG, rate_limit=10**9)) as cloud:
            begun = time.perf_counter()
            first = make(folder / "project", options.customers, cloud.endpoint)
            print(f"one stack of {options.customers} is up after {time.perf_counter() - begun:.0f} s", flush=True)
            os.environ["PULUMI_BACKEND_URL"] = first.backend
            sign_up(first, options.cells, options.customers)
            print(f"{options.cells} cells of {options.customers}, states of {megabytes(first):.0f} MB", flush=True)
            print(f"unchanged, by fingerprint  {look(first, options.repeat)}", flush=True)
            forget_cells(first)
            for number in range(1, options.cells):
                copy(first, number)
            print(f"{options.cells} stacks of {options.customers}, states of {megabytes(first):.0f} MB", flush=True)
            with ProcessorByProgram() as processor:
                asked = look(first, 1, "--full", "--concurrency", str(options.concurrency))
            print(f"unchanged, by the engine   {asked}, {options.concurrency} stacks at a time", flush=True)
            for name, seconds in processor.seconds().items():
                print(f"  {seconds:8.1f} s processor  {name}", flush=True)
            expected = managed(first)
        if not options.terraform:
            print("no terraform on PATH, so nothing is beside it")
            return
        (folder / "second").mkdir()
        with running_cloud(folder / "second", replace(CONFIG, rate_limit=10**9)) as cloud:
            beside(options.terraform, folder / "terraform", cloud.endpoint, options, expected)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
