"""What an update would change, judged from the steps that the engine plans."""
