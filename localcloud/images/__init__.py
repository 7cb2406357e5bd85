"""Images that the local cloud serves, each built here from Debian, npm or the Go module proxy."""
