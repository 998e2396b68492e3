"""What happens to an input. This room knows neither HTTP nor SQL."""
