"""Runs the whole product on one machine: engines from wheels, the sandbox and the services."""
