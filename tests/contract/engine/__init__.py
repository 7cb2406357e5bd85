"""What the engine really says, recorded, and held against what `clawdet_infra.engine` understands."""
