"""What a challenger would have answered: it predicts when no caller waits, and nobody sees it."""
