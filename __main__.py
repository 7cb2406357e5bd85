"""The fleet of the selected stack: load its configuration, declare it, export what others need."""

from clawdet_infra import settings
from clawdet_infra.program import declare

declare(settings.load()).export()
