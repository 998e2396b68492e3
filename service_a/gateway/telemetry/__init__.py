"""What can be seen of the service from outside: log lines, metrics, traces."""
