"""The model service as such labs write it: the pipeline on a DataFrame of one row."""

import os
from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["MODEL_FILE"])


class Input(BaseModel):
    input: dict[str, Any]


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.post("/predict")
def predict(body: Input) -> dict[str, Any]:
    price = float(model.predict(pd.DataFrame([body.input]))[0])
    return {"prediction": price, "message": f"Predicted price: ${price:,.0f}"}
