"""What happens to an input; HTTP and SQL are in other rooms."""
