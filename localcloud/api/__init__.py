"""The Hetzner Cloud API of the local cloud: routes, what they check, and the state behind them."""

from localcloud.api.app import create_app
from localcloud.api.config import ApiConfig
from localcloud.api.state import State

__all__ = ["ApiConfig", "State", "create_app"]
