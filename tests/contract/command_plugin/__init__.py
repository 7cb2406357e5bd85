"""The command plugin behind the real engine, against a real SSH server."""
