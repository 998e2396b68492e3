"""HTTP in: what callers send, how it is checked, and what they are answered."""
