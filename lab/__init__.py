"""Starts, stops and tests both services: what the scripts hand over to. Standard library only."""
