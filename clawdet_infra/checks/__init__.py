"""Checks of the rendered deployments, before anything is deployed.

Each rule is a small function from a rendered compose file to its findings (`duties`, `hardening`, `schema`), so that
other code with a compose file can run it too; `checks` renders a fleet's files and applies all rules.
"""

from clawdet_infra.checks.document import Document, read
from clawdet_infra.checks.finding import Check, Finding, merged
from clawdet_infra.checks.rules import duties_of, hardening_of
from clawdet_infra.checks.validation import checks

__all__ = ["Check", "Document", "Finding", "checks", "duties_of", "hardening_of", "merged", "read"]
