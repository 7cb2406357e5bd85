"""What every server is made with."""

from __future__ import annotations

from clawdet_infra.render.templates import fill, text

FIREWALL_PROGRAM = "/usr/local/sbin/clawdet-container-firewall"
FIREWALL_UNIT = "/etc/systemd/system/clawdet-container-firewall.service"
"""Where a server has the containers' firewall: the first boot puts it there, and deployments bring newer ones."""

FIREWALL_RULES_TEXT = "clawdet-container-firewall.sh"
FIREWALL_UNIT_TEXT = "clawdet-container-firewall.service"

_PROGRAM = "0755"
_PLAIN = "0644"


def cloud_init(*, host_key_private: str, host_key_public: str) -> str:
    """Return a server's user data: the same for all but for the SSH host key, and without any customer's secret."""
    files = [
        {"path": path, "mode": mode, "content": text(f"host/{source}")}
        for path, mode, source in (
            ("/usr/local/sbin/clawdet-prepare", _PROGRAM, "clawdet-prepare.sh"),
            (FIREWALL_PROGRAM, _PROGRAM, FIREWALL_RULES_TEXT),
            (FIREWALL_UNIT, _PLAIN, FIREWALL_UNIT_TEXT),
        )
    ]
    return fill(
        "host/cloud-init.yaml.j2",
        files=files,
        host_key_private=host_key_private,
        host_key_public=host_key_public,
    )
