"""DNS zones and their resource record sets."""
