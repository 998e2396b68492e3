"""One module for each group of calls: it reads, checks, predicts and answers."""
