"""Checks of what would be deployed, before anything is.

Each rule is a small function from a rendered compose file to what it finds (`duties`, `hardening`, `schema`), so that
whatever has such a file can hold it against them; `checks` renders a fleet's and applies all of them.
"""

from clawdet_infra.checks.document import Document, read
from clawdet_infra.checks.finding import Check, Finding, merged
from clawdet_infra.checks.rules import duties_of, hardening_of
from clawdet_infra.checks.validation import checks

__all__ = ["Check", "Document", "Finding", "checks", "duties_of", "hardening_of", "merged", "read"]
