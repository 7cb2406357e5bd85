"""The instances of the fleet, from the outputs of its stacks."""
