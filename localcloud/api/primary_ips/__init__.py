"""Public addresses, which servers have or which wait for one."""
