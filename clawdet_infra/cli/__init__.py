"""The `clawdet` command, one file a noun or verb; exit codes are Pulumi's."""
