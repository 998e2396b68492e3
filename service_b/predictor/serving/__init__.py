"""The process and its socket: how the application is run."""
