"""The parts of the fleet as Pulumi components, one a file.

Each has one shape: `Thing(name, ThingArgs(...), opts)`, the type token `clawdet:index:Thing`, children with
`parent=self`, outputs registered at the end.  What a customer gets is decided before, in `clawdet_infra.layout`;
a component declares it and decides nothing.
"""
