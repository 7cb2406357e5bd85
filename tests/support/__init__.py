"""What several test folders use: a stack in a folder of its own, a local cloud, ways to look at a gateway."""
