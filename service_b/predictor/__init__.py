"""Service B: the models, behind HTTP."""

__version__ = "1.0.0"
