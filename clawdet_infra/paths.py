"""Where the project is."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("CLAWDET_ROOT") or Path(__file__).resolve().parents[1])
"""The folder of Pulumi.yaml: what `activate` says, else the checkout that this file is part of."""
