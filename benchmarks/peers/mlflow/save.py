"""Saves the model in MLflow's format: `python save.py MODEL_FILE FOLDER`."""

import sys

import joblib
import mlflow.sklearn

model_file, folder = sys.argv[1:]
mlflow.sklearn.save_model(
    joblib.load(model_file),
    folder,
    pip_requirements=[],
    serialization_format="cloudpickle",
)
