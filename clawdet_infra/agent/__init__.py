"""What runs on servers, in one file: deployment, status, restart, watchdog, and the containers' firewall.

It is one file (`package`) that Python 3.11 or later runs without any other package, so these modules use the standard
library only.  Each deployment brings it and installs it.
"""
