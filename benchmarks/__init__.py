"""Measures both services, and what people would use instead."""
