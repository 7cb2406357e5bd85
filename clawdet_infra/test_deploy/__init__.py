"""Test deployments: one throw-away customer, deployed as any other, looked at, and removed again.

`cloud` makes one with a server of its own, `host` deploys onto a server that is there.  A trial leaves nothing behind,
also where it fails, is interrupted or is killed: what it makes carries its name, and `records` knows of it.
"""
