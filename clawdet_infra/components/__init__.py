"""Pulumi components and resource functions, one per file.

Components have the same shape: `Thing(name, ThingArgs(...), opts)`, the type token `clawdet:index:Thing`, children with
`parent=self`, outputs registered at the end.  `clawdet_infra.layout` makes all decisions; a component only declares
resources.
"""
