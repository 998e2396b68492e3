"""The same predictions as the pipelines give, without running a pipeline.

Gain: see `benchmarks/`. The plain twin is `predictor.inference.pipelines`.
"""
