"""The services, the command line, and the chassis that they share."""

import os

# grpc's core reads this when it is imported, so it stands before everything. Below ERROR it writes
# lines of its own to stderr, which are no JSON and say nothing that our logs do not.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
