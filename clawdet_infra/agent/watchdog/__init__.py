"""The guard: a program that a server runs twice a minute, and that starts and restarts containers which need it.

Docker starts a container again that ends, but not one that it could not start, one that hangs, or one whose network
went away beneath it.  The guard does, within bounds that keep it from restarting something broken for ever.

Deployments install it (`clawdet_infra.agent.install`); on the server it is one file that Python runs.
"""
