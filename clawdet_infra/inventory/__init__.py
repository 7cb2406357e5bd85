"""The instances that exist, as the stacks tell.

`load` reads them with their secrets; `Cached` keeps them for a process that runs long, and reads again only what has
changed.  Each reading leaves a listing without secrets on disk (`read_listing`), for what needs none.
"""

from clawdet_infra.engine.stack_errors import InventoryError
from clawdet_infra.engine.stacks import fleet_of, last_update_succeeded, outputs_of
from clawdet_infra.inventory.cache import Cached
from clawdet_infra.inventory.listing import Entry, Listing, read_listing, write_entries
from clawdet_infra.inventory.reader import Loader, load
from clawdet_infra.inventory.stack_facts import build

__all__ = [
    "Cached",
    "Entry",
    "InventoryError",
    "Listing",
    "Loader",
    "build",
    "fleet_of",
    "last_update_succeeded",
    "load",
    "outputs_of",
    "read_listing",
    "write_entries",
]
