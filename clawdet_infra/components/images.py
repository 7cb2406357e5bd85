"""Pins image references to digests, so that the preview shows the exact images."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from clawdet_infra.config import parse_image
from clawdet_infra.error_line import FailureCode, marked


class ImagePins:
    """Pins image references; each reference is resolved once per update, however many customers use it.

    The registry resolves a tag to `name:tag@sha256:…`, so a moved tag is visible in the preview.  A reference with a
    digest is already pinned and not resolved.
    """

    def __init__(self) -> None:
        self._pinned: dict[str, pulumi.Output[str]] = {}
        # Registries are asked directly; a preview needs no Docker.  The host is set anyway: otherwise the plugin would
        # use DOCKER_HOST, and the state would differ from shell to shell.
        self._registry = docker.Provider(
            "registry", host="unix:///var/run/docker.sock", disable_docker_daemon_check=True
        )

    def pin(self, reference: str) -> pulumi.Output[str]:
        """Return a reference with its digest."""
        if reference not in self._pinned:
            self._pinned[reference] = self._resolve(reference)
        return self._pinned[reference]

    def _resolve(self, reference: str) -> pulumi.Output[str]:
        if parse_image(reference).digest is not None:
            return pulumi.Output.from_input(reference)
        return pulumi.Output.from_input(self._look_up(reference))

    async def _look_up(self, reference: str) -> str:
        # The provider would read Docker Hub's name as the address of a registry, which does not exist.
        asked = {"name": reference.removeprefix("docker.io/")}
        try:
            found = await pulumi.runtime.invoke_async(
                "docker:index/getRegistryImage:getRegistryImage", asked, pulumi.InvokeOptions(provider=self._registry)
            )
        except Exception as error:
            said = str(error).strip().splitlines()[-1].strip().lstrip("* ")
            text = (
                f"the image {reference} was not found: {said}. Check its name in `release`, and whether this machine "
                "reaches the registry."
            )
            raise pulumi.RunError(marked(FailureCode.IMAGE, text)) from None
        return f"{reference}@{found['sha256Digest']}"
