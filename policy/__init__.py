"""The rules that every preview and update of a fleet must pass, as a Pulumi policy pack.

`run` starts it: `pulumi up --policy-pack policy/run`.  The policies check the inputs of the resources, independent of
the program; so they also block mistakes in the program or in a template.
"""
