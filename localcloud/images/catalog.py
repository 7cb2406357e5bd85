"""The images that the local cloud's registry serves, and building them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from localcloud.images.browser import recipe as browser
from localcloud.images.caddy import recipe as caddy
from localcloud.images.gateway_stand_in import recipe as stand_in
from localcloud.images.layers import LayerRecipe, LayerStore, Progress
from localcloud.images.oci import Execution, Image
from localcloud.images.openclaw import recipe as openclaw
from localcloud.paths import images_cache


@dataclass(frozen=True)
class ImageRecipe:
    """One image: its public name without the registry's host, its layers and how it runs."""

    repository: str
    tag: str
    layers: Callable[[], Sequence[LayerRecipe]]
    execution: Execution

    @property
    def reference(self) -> str:
        """Name and tag."""
        return f"{self.repository}:{self.tag}"


CATALOG: tuple[ImageRecipe, ...] = (
    ImageRecipe(caddy.REPOSITORY, caddy.VERSION, caddy.layers, caddy.EXECUTION),
    ImageRecipe(openclaw.REPOSITORY, openclaw.VERSION, openclaw.layers, openclaw.EXECUTION),
    ImageRecipe(openclaw.REPOSITORY, openclaw.REBUILT, openclaw.layers, openclaw.REBUILT_EXECUTION),
    *(
        ImageRecipe(stand_in.REPOSITORY, release, stand_in.layers, stand_in.execution(release))
        for release in stand_in.RELEASES
    ),
    ImageRecipe(browser.REPOSITORY, browser.VERSION, browser.layers, browser.EXECUTION),
)


def layer_store(folder: Path | None = None) -> LayerStore:
    """The store of layers in the cache."""
    return LayerStore(folder or images_cache() / "layers")


def find_image(recipe: ImageRecipe, store: LayerStore) -> Image | None:
    """The image, or None where one of its layers has yet to be built."""
    found = [store.find(layer) for layer in recipe.layers()]
    layers = tuple(layer for layer in found if layer is not None)
    if len(layers) < len(found):
        return None
    return Image(recipe.repository, recipe.tag, layers, recipe.execution)


def build_images(
    progress: Progress, store: LayerStore | None = None, catalog: Sequence[ImageRecipe] = CATALOG
) -> list[Image]:
    """Every image of the catalog, its layers built now where they have not been yet.

    Raises ImageError, GoBuildError, or what localcloud.host.command raises for a program that is missing.
    """
    store = store or layer_store()
    layers = [list(recipe.layers()) for recipe in catalog]
    # A layer that images share would make a second build wait for the first one.
    distinct = {layer.fingerprint: layer for of_image in layers for layer in of_image}
    # Two at a time: while one waits for the network, the other compiles or compresses.
    with ThreadPoolExecutor(max_workers=2) as workers:
        builds = {key: workers.submit(store.build, layer, progress) for key, layer in distinct.items()}
    return [
        Image(
            recipe.repository,
            recipe.tag,
            tuple(builds[layer.fingerprint].result() for layer in of_image),
            recipe.execution,
        )
        for recipe, of_image in zip(catalog, layers, strict=True)
    ]
