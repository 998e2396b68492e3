"""HTTP out: the calls to Service B."""
