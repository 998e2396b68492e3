"""The gateway as such labs write it: a thread per call, and a new connection for each forward."""

import logging
import os
from typing import Any

import requests
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger("service_a")
app = FastAPI()


class Input(BaseModel):
    data: dict[str, Any]
    forward_to_model: bool = True


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.post("/process")
def process(body: Input) -> dict[str, Any]:
    logger.info("received %s", body.data)
    if not body.forward_to_model:
        return {"status": "Input logged successfully"}
    try:
        response = requests.post(os.environ["SERVICE_B_URL"], json={"input": body.data}, timeout=60)
        response.raise_for_status()
    except requests.RequestException as error:
        raise HTTPException(503, "Service B is unavailable") from error
    return {"status": "Input logged successfully", "model_prediction": response.json()}
