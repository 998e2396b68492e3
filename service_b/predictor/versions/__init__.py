"""Versions of models: found, checked, loaded, and swapped while the service runs."""
