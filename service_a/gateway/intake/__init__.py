"""What happens to an input, without the HTTP and the SQL of it, which other rooms have."""
