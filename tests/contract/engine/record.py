"""Records what the engine says: `python -m tests.contract.engine.record [NAME…]`, after an upgrade of Pulumi.

What is recorded is in `recorded/`, a file a text; look at the difference, and make `clawdet_infra.engine.output`
understand it.  All texts take about a minute.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.contract.engine.lab import RECORDED, SCENARIOS, UPDATE, lab, update


def main(names: list[str]) -> None:
    for name in names or [*SCENARIOS, UPDATE.stem]:
        if name == UPDATE.stem:
            with tempfile.TemporaryDirectory(prefix="clawdet-texts-") as folder:
                UPDATE.write_text("".join(f"{json.dumps(one)}\n" for one in update(Path(folder))), "utf-8")
            continue
        with tempfile.TemporaryDirectory(prefix="clawdet-texts-") as folder, lab(Path(folder)) as made:
            SCENARIOS[name](made).write(name)
        print(name, flush=True)
    version = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=True).stdout
    (RECORDED / "VERSION").write_text(version, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
