"""Ways to run servers: as containers, or not at all."""
