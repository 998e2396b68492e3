"""Layers around every call."""
