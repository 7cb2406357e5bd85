"""How times, tables, JSON and texts of others are written, for every command alike."""
