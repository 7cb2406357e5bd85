"""The `clawdet` command, one file a noun or verb.  Exit codes are Pulumi's."""
