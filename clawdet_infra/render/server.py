"""What every server is made with."""

from __future__ import annotations

import base64
import gzip

from clawdet_infra.render.templates import fill, text


def user_data(*, host_key_private: str, host_key_public: str) -> str:
    """Return what `cloud_init` returns in gzip and base64, as it is sent: the state keeps it for each server.

    Hetzner takes text only; cloud-init decodes both.
    """
    content = cloud_init(host_key_private=host_key_private, host_key_public=host_key_public)
    return base64.b64encode(gzip.compress(content.encode(), mtime=0)).decode()


def cloud_init(*, host_key_private: str, host_key_public: str) -> str:
    """Return cloud-init's configuration of a server: the same for all but for the SSH host key, without any secret of
    a customer.
    """
    return fill(
        "host/cloud-init.yaml.j2",
        prepare=text("host/clawdet-prepare.sh"),
        host_key_private=host_key_private,
        host_key_public=host_key_public,
    )
