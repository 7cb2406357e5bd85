"""What goes wrong while images are made or published."""

from __future__ import annotations


class ImageError(Exception):
    """An image could not be built or pushed; the text says which step failed and what its program answered."""
