"""Bodies of the answer that says how good the predictions were."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _round(fraction: float) -> float:
    return round(fraction, 6)


_Fraction = Annotated[float, AfterValidator(_round)]


class CoverageOfVersion(BaseModel):
    """The share of actual prices within their interval, and what it may be among all inputs."""

    value: _Fraction
    lower: _Fraction = Field(
        description="by Wilson's score interval, with 95% certainty, as `upper`"
    )
    upper: _Fraction


class Promised(BaseModel):
    """What the model's card says: errors on test data, and how often an interval should hold."""

    mape: float | None = None
    median_ape: float | None = None
    within_10_percent: float | None = None
    coverage: float | None = None


class QualityOfVersion(BaseModel):
    """How good the predictions of one version were."""

    model_config = ConfigDict(protected_namespaces=())

    model: str | None = Field(
        description="null is Service B's default, as long as Service B didn't say its name"
    )
    model_version: str | None
    predicted: int = Field(description="inputs that a price was predicted for")
    with_actual: int = Field(description="those of them whose actual price was reported")
    mape: _Fraction | None = Field(description="mean absolute error, relative to the actual price")
    median_ape: _Fraction | None = Field(description="half of the predictions are closer than this")
    bias: _Fraction | None = Field(description="mean error; above 0 the predictions are too high")
    within_10_percent: _Fraction | None = Field(description="share within 10% of the actual price")
    coverage: CoverageOfVersion | None = Field(description="null if the model gave no interval")
    promised: Promised | None = Field(
        description="null if Service B can't be asked, or doesn't serve this version now"
    )


class QualityAnswer(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "versions": [
                    {
                        "model": "ames",
                        "model_version": "2",
                        "predicted": 1200,
                        "with_actual": 300,
                        "mape": 0.0712,
                        "median_ape": 0.0497,
                        "bias": 0.0064,
                        "within_10_percent": 0.77,
                        "coverage": {"value": 0.91, "lower": 0.8723, "upper": 0.9374},
                        "promised": {
                            "mape": 0.076072,
                            "median_ape": 0.049762,
                            "within_10_percent": 0.785,
                            "coverage": 0.9,
                        },
                    }
                ]
            }
        }
    )

    versions: list[QualityOfVersion] = Field(description="by model and version")
