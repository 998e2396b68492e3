"""One module for each group of calls: it parses, calls the intake or the log, and answers."""
