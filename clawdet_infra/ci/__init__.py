"""What GitHub Actions and GitLab CI run: previews of pull requests, deployments of what was merged, the drift check.

It drives the `clawdet` command as an operator would, and tells the forge what came of it.  `scripts/ci/` starts it.
"""
