"""Takes the fleet's secrets out of what people read, also those of customers that joined it later."""

from __future__ import annotations

from clawdet_infra.inventory.instance import Inventory
from clawdet_infra.redaction import Redactor


class FleetRedactor(Redactor):
    """A redactor for the newest inventory."""

    def __init__(self) -> None:
        super().__init__([])
        self._newest = Redactor([])

    def use(self, inventory: Inventory) -> None:
        """Take out the secrets of this inventory from now on."""
        customers = inventory.instances.values()
        pairs = [(one.user, one.password.get_secret_value()) for one in customers]
        self._newest = Redactor(
            [
                *(password for _, password in pairs),
                # Name and password together are what basic auth encodes.
                *(f"{user}:{password}" for user, password in pairs),
                *(one.gateway_token.get_secret_value() for one in customers),
                *(cloud.token.get_secret_value() for cloud in inventory.clouds.values()),
                *(key.get_secret_value() for key in inventory.login_keys.values()),
            ]
        )

    def __call__(self, text: str) -> str:
        """Return the text without the secrets."""
        return self._newest(text)
