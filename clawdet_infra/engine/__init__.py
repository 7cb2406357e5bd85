"""Pulumi's engine, driven from Python: stacks, updates, their progress, and what a killed one has left."""
