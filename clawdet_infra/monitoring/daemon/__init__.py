"""The checker that runs all the time: rounds on a steady beat, healing, alerts, upkeep of the history, and metrics."""
