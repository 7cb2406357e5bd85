"""Day-2 work on running instances: seen from outside and on their servers."""
