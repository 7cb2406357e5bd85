"""A fleet of gateways without gateways: real TCP and TLS servers on loopback that answer as Caddy and OpenClaw do.

Each instance has an address of its own in 127.0.0.0/8 and a name that a real DNS server knows.  The servers run in
processes of their own, so that whoever looks at them can be measured alone.
"""
