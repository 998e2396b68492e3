"""One module for each group of calls: it parses, has a model predict, and answers."""
