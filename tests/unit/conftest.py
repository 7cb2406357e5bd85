"""Loads the number of examples that Hypothesis tries."""

import tests.support.examples  # noqa: F401
