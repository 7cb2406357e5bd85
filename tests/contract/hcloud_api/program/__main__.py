"""One of each resource of the hcloud provider that the local cloud has, as a user would declare them.

`size` (a server type) and `sources` (who may use SSH) come from the configuration, so that tests can change them.
"""

from __future__ import annotations

import pulumi
import pulumi_hcloud as hcloud

config = pulumi.Config()
labels = {"role": "gateway", "clawdet.example/plan": "pro"}

key = hcloud.SshKey("key", name="ops", public_key=config.require("publicKey"), labels=labels)
group = hcloud.PlacementGroup("group", name="apart", type="spread")
firewall = hcloud.Firewall(
    "firewall",
    name="edge",
    apply_tos=[hcloud.FirewallApplyToArgs(label_selector="role=gateway")],
    rules=[
        hcloud.FirewallRuleArgs(
            direction="in", protocol="tcp", port="22", source_ips=config.require_object("sources"), description="ssh"
        ),
        hcloud.FirewallRuleArgs(direction="in", protocol="icmp", source_ips=["0.0.0.0/0", "::/0"]),
        hcloud.FirewallRuleArgs(direction="out", protocol="udp", port="any", destination_ips=["192.0.2.0/24"]),
    ],
)
address = hcloud.PrimaryIp(
    "address",
    name="kept",
    type="ipv4",
    location="fsn1",
    assignee_type="server",
    auto_delete=False,
    # This version of the provider does not know that an address without a server is `unassigned` now.
    opts=pulumi.ResourceOptions(ignore_changes=["assigneeType"]),
)
server = hcloud.Server(
    "server",
    name="gateway-1",
    server_type=config.require("size"),
    image="debian-13",
    location="fsn1",
    ssh_keys=[key.id],
    placement_group_id=group.id.apply(int),
    user_data="#cloud-config\n{}\n",
    labels=labels,
    public_nets=[
        hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv4=address.id.apply(int), ipv6_enabled=True),
    ],
    keep_disk=True,
    delete_protection=config.require_bool("protect"),
    rebuild_protection=config.require_bool("protect"),
)
plain = hcloud.Server(
    "plain",
    name="plain-1",
    server_type="cx23",
    image="debian-13",
    location="nbg1",
    ssh_keys=[key.name],
    backups=config.require_bool("backups"),
)
volume = hcloud.Volume("volume", name="data", size=10, location="fsn1", format="ext4")
attachment = hcloud.VolumeAttachment(
    "attachment", volume_id=volume.id.apply(int), server_id=server.id.apply(int), automount=False
)
zone = hcloud.Zone("zone", name="clawdet.test", mode="primary", ttl=300)
for name, kind, value in (
    ("gateway-1", "A", server.ipv4_address),
    ("gateway-1", "AAAA", server.ipv6_address),
    ("@", "TXT", pulumi.Output.from_input('"v=spf1 -all"')),
    ("www", "CNAME", pulumi.Output.from_input("gateway-1")),
):
    hcloud.ZoneRrset(
        f"record-{name}-{kind}",
        zone=zone.name,
        name=name,
        type=kind,
        ttl=config.get_int("ttl"),
        records=[hcloud.ZoneRrsetRecordArgs(value=value)],
    )
hcloud.Rdns("reverse", server_id=server.id.apply(int), ip_address=server.ipv4_address, dns_ptr="gateway-1.clawdet.test")

pulumi.export("ipv4", server.ipv4_address)
pulumi.export("ipv6", server.ipv6_address)
pulumi.export("image", hcloud.get_image_output(name="debian-13", with_architecture="x86").id)
pulumi.export("status", server.status)
