"""The errors that are told in one sentence, because their text says what to do."""

from __future__ import annotations

from localcloud.go_binaries import GoBuildError
from localcloud.host import CommandError, HostError, MissingProgramError
from localcloud.images.errors import ImageError
from localcloud.machines.base import MachineError
from localcloud.progress import StartError
from localcloud.pypi import InstallError
from localcloud.services.errors import ServiceError
from localcloud.settings import SettingsError

EXPECTED_ERRORS = (
    CommandError,
    GoBuildError,
    HostError,
    ImageError,
    InstallError,
    MachineError,
    MissingProgramError,
    ServiceError,
    SettingsError,
    StartError,
)
