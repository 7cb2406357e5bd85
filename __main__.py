"""The fleet of the selected stack: load its configuration, declare it, export what others need."""

import os

import pulumi

from clawdet_infra.config import settings
from clawdet_infra.engine.stack_locks import note_engine_above
from clawdet_infra.program import declare

# So that the lock of an update that is killed is known to be dead.
note_engine_above(os.environ.get("PULUMI_BACKEND_URL", ""), pulumi.get_project(), pulumi.get_stack())
declare(settings.load()).export()
