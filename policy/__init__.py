"""The rules that every preview and update of a fleet is held against, as a Pulumi policy pack.

`run` starts it: `pulumi up --policy-pack policy/run`.  The policies see what the engine is about to make, not how the
program came to it; so they also stop what a mistake in the program or in a template would do.
"""
