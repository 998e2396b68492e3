"""The HTTP side of the predictor."""
