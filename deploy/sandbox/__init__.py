"""A stand-in for api.keepa.com: the same answers, the same token rules, faults on request."""
