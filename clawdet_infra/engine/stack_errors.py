"""Why the fleet's instances are not known, in a sentence for the operator."""

from __future__ import annotations


class InventoryError(Exception):
    """The instances of the fleet cannot be told; the text is one sentence and holds no secret."""
