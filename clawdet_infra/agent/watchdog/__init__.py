"""The watchdog starts and restarts containers that need it, twice a minute.

Docker starts a container again that ends, but not one that it could not start, one that hangs, or one whose network
went away beneath it.  The watchdog does, within bounds: it stops after three repairs of one container in an hour.

Deployments install a timer of systemd that runs it (`clawdet_infra.agent.install`).
"""
