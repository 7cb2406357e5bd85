"""Pulumi's engine, driven from Python: updates of stacks, and what a killed one has left."""
