"""A signup backend in a process of its own: calls the library for several customers at once.

It prints every stage, and how each call ended with the call's number.

Reads {"base": {...}, "calls": [{"do": "provision", "signup": {...}}, {"do": "deprovision", "id": ...}]} from stdin,
where `base` are arguments of Provisioner.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from clawdet_infra.automation import AutomationError, Provisioner, Signup, StageEvent

_printing = threading.Lock()


def say(**what: Any) -> None:
    with _printing:
        print(json.dumps(what, default=str), flush=True)


def main() -> None:
    asked = json.load(sys.stdin)
    base = asked["base"]

    def told(event: StageEvent) -> None:
        say(event=asdict(event))

    with Provisioner(**{**base, "root": Path(base["root"])}) as fleet:

        def call(number: int, one: dict[str, Any]) -> None:
            try:
                if one["do"] == "provision":
                    signup = {**one["signup"], "api_key": SecretStr(one["signup"]["api_key"])}
                    result: Any = fleet.provision(Signup(**signup), told)
                else:
                    result = fleet.deprovision(one["id"], told)
                say(result=asdict(result), number=number)
            except AutomationError as error:
                say(
                    error=str(error),
                    kind=type(error).__name__,
                    action=error.action,
                    customer=error.customer,
                    number=number,
                )

        with ThreadPoolExecutor(len(asked["calls"])) as threads:
            list(threads.map(call, itertools.count(), asked["calls"]))


if __name__ == "__main__":
    main()
