"""Finds the Pulumi engine, or builds it.

The engine is a set of Go programs: the command line (`pulumi`), the host that runs Python programs, and one plugin for
each provider. Most people have them from Pulumi's installer, which fetches the plugins as well. Where that installer
cannot be reached, they are built here from their sources, which come with their hashes through Go's module proxy.

This package needs nothing but Python's standard library, because it runs before any environment exists.
"""
