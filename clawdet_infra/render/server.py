"""The user data of every server."""

from __future__ import annotations

import base64
import gzip

from clawdet_infra.render.templates import fill, text


def user_data(*, host_key_private: str, host_key_public: str) -> str:
    """Return the result of `cloud_init` in gzip and base64, because the state keeps it for each server.

    Hetzner accepts text only; cloud-init decodes both.
    """
    content = cloud_init(host_key_private=host_key_private, host_key_public=host_key_public)
    return base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode()


def cloud_init(*, host_key_private: str, host_key_public: str) -> str:
    """Return a server's cloud-init configuration: the same for all but the SSH host key, without customers' secrets."""
    return fill(
        "host/cloud-init.yaml.j2",
        prepare=text("host/clawdet-prepare.sh"),
        host_key_private=host_key_private,
        host_key_public=host_key_public,
    )
