"""The same predictions as the pipelines give, without running a pipeline."""
