"""The image that servers of the local cloud boot from."""

from localcloud.images.server.build import ensure_image
from localcloud.images.server.recipe import API_NAME, Recipe, read_recipe

__all__ = ["API_NAME", "Recipe", "ensure_image", "read_recipe"]
