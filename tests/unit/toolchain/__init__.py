"""The search for the engine, and its build, with a stand-in for Go that takes no time."""
