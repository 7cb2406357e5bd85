"""What looks after running instances: checks, remediation, alerts, history, metrics, and the daemon."""
