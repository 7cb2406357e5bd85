"""Finds the Pulumi engine, or builds it.

The engine is a set of Go programs: the command line (`pulumi`), the host that runs Python programs, and one plugin for
each provider. Most people have them from Pulumi's installer, which downloads the plugins as well. If that installer is
unreachable, they are built here from their sources, which Go's module proxy serves with their hashes.

This package uses only Python's standard library, because it runs before any environment exists.
"""
