"""The input log in its database: SQL, and nothing of HTTP."""
