"""What Hetzner offers and nobody can change: locations, server types, system images, prices."""
