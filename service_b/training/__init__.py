"""From the raw data to a registered version, and round the loop again: `python -m training`."""
