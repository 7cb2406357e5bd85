"""Hypothesis measures wall-clock time, which says nothing on a machine that runs other tests as well."""

from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
