"""The model card: what the predictor reads of a model before it unpickles it."""

from codecs import BOM_UTF8
from datetime import datetime
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from predictor.errors import ModelRefused
from predictor.version import CARD

Category = str | int


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


Share = Annotated[float, Field(ge=0, le=1)]
# A factor of an interval's width on the logarithmic scale. A float can hold the exponential of two
# of them multiplied.
Factor = Annotated[float, Field(gt=0, le=25)]


class Distribution(_Strict):
    """How a feature's values were distributed in training, unknown ones aside.

    For a category, `shares` are those of its values, in their order. For a number, each is the
    share of values up to and with one of `edges`, and the last that of values above them all.
    """

    unknown: Share = Field(description="share of the rows in which the value is unknown")
    shares: tuple[Share, ...] = Field(min_length=1)
    edges: tuple[FiniteFloat, ...] | None = None
    quantiles: dict[str, FiniteFloat] | None = Field(
        default=None, description="of numbers: share to the value that so many don't exceed"
    )

    @model_validator(mode="after")
    def check_edges(self) -> Self:
        if self.edges is None:
            return self
        if list(self.edges) != sorted(set(self.edges)) or len(self.edges) + 1 != len(self.shares):
            raise ValueError("needs rising edges, and one share more than edges")
        return self


class Feature(_Strict):
    """One input of the model, in the order in which the estimator takes its columns.

    A field left out of a request is unknown. `nullable` says whether `null` may be sent;
    it stands for the category `none` ("the house has none of it") where there is one,
    and for unknown elsewhere.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="snake_case, used in requests")
    column: str = Field(description="name of the column in the training data")
    kind: Literal["number", "integer", "category", "identifier"] = Field(
        description="an identifier is accepted and never reaches the estimator"
    )
    meaning: str
    unit: str | None = None
    required: bool = False
    nullable: bool = False
    minimum: FiniteFloat | None = None
    maximum: FiniteFloat | None = None
    categories: tuple[Category, ...] | None = None
    none: Category | None = Field(default=None, description="the category that null stands for")
    # What the cards of older versions don't say.
    distribution: Distribution | None = None

    @model_validator(mode="after")
    def check_domain(self) -> Self:
        if self.kind == "category":
            if not self.categories:
                raise ValueError(f"feature {self.name}: a category needs categories")
            if self.none is not None and self.none not in self.categories:
                raise ValueError(f"feature {self.name}: none is not among the categories")
            if len(set(self.categories)) < len(self.categories):
                raise ValueError(f"feature {self.name}: a category is there twice")
        elif self.minimum is None or self.maximum is None or self.minimum > self.maximum:
            raise ValueError(f"feature {self.name}: a number needs minimum <= maximum")
        return self

    @model_validator(mode="after")
    def check_distribution(self) -> Self:
        found = self.distribution
        if found is None:
            return self
        if self.categories is None and found.edges is None:
            raise ValueError(f"feature {self.name}: the distribution of a number needs edges")
        if self.categories is not None and len(found.shares) != len(self.categories):
            raise ValueError(f"feature {self.name}: needs a share for each category")
        return self


class _Relation(_Strict):
    """What holds between fields in the training data.

    In a message, `{field}` stands for the value of one of the fields, and `{field:car}` for so many
    cars. The rows that count are those that have all the fields.
    """

    fields: tuple[str, ...]
    says: str = Field(description="what holds, in words")
    message: str = Field(description="what is said of an input that contradicts it")
    rows: int = Field(default=0, ge=0, description="rows of the training that have all the fields")
    confirmed: int = Field(default=0, ge=0, description="rows of these in which it holds")

    @model_validator(mode="after")
    def check_messages(self) -> Self:
        for message in self.messages:
            for _, name, noun, conversion in Formatter().parse(message):
                if name is None:
                    continue
                is_number = name in self.said_as_numbers
                if not is_number and name not in self.fields:
                    raise ValueError(f"a message has {{{name}}}, which is none of the fields")
                if conversion or (noun and not (is_number and noun.isalpha())):
                    raise ValueError(f"a message has {{{name}}} in a form that can't be written")
        return self

    @property
    def numbers(self) -> tuple[str, ...]:
        """The fields that are numbers."""
        return self.fields

    @property
    def said_as_numbers(self) -> tuple[str, ...]:
        """What stands for a number in a message."""
        return self.numbers

    @property
    def messages(self) -> tuple[str, ...]:
        return (self.message,)


class Sum(_Relation):
    """The first field is the sum of the others; `{sum}` in the message stands for that."""

    kind: Literal["sum"] = "sum"
    fields: Annotated[tuple[str, ...], Field(min_length=2)]
    tolerance: FiniteFloat = Field(default=0, ge=0, description="the sum may be off by so much")

    @property
    def said_as_numbers(self) -> tuple[str, ...]:
        return (*self.fields, "sum")


class AtMost(_Relation):
    """The first field is at most the second plus `offset`."""

    kind: Literal["at_most"] = "at_most"
    fields: tuple[str, str]
    offset: FiniteFloat = 0


class NoneIfZero(_Relation):
    """The first field, a category, says that there is none exactly when the second is zero.

    `message` is for none with a number, and `message_if_zero` for the reverse.
    """

    kind: Literal["none_if_zero"] = "none_if_zero"
    fields: tuple[str, str]
    message_if_zero: str

    @property
    def numbers(self) -> tuple[str, ...]:
        return self.fields[1:]

    @property
    def messages(self) -> tuple[str, ...]:
        return (self.message, self.message_if_zero)


Relation = Annotated[Sum | AtMost | NoneIfZero, Field(discriminator="kind")]


class Target(_Strict):
    """What the model predicts, in `unit`."""

    name: str
    column: str
    unit: str
    meaning: str


class Artifact(_Strict):
    """A file beside the card."""

    file: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", description="a name, never a path")
    sha256: Annotated[str, AfterValidator(str.lower), Field(pattern=r"^[0-9a-fA-F]{64}$")]


class Band(_Strict):
    """Another factor of the interval's width, for inputs of which little is known."""

    given_at_most: int = Field(ge=0, description="so many fields, the identifier aside")
    log_scale: Factor


class Interval(_Strict):
    """Conformal interval: price times e**-width to price times e**width.

    The width is `log_half_width` for every input, or else `log_scale` times what a second
    estimator, the `artifact`, gives for the input. The first of `bands` that holds for an input has
    its own `log_scale`.
    """

    coverage: float = Field(gt=0, lt=1)
    log_half_width: Factor | None = None
    log_scale: Factor | None = None
    artifact: Artifact | None = None
    # What the cards of older versions don't have.
    bands: tuple[Band, ...] = ()

    @model_validator(mode="after")
    def check_bands(self) -> Self:
        edges = [each.given_at_most for each in self.bands]
        if edges != sorted(set(edges)) or (edges and self.log_scale is None):
            raise ValueError("bands need rising given_at_most, and log_scale beside them")
        return self

    @model_validator(mode="after")
    def check_width(self) -> Self:
        adaptive = (self.log_scale is not None, self.artifact is not None)
        if adaptive != (self.log_half_width is None,) * 2:
            raise ValueError("needs either log_half_width, or log_scale and artifact")
        return self


class Widening(_Strict):
    """By what the width of an interval is multiplied where such a share of rows is as unusual."""

    typical: Share
    factor: Factor


class Typical(_Strict):
    """How unusual inputs are, and what follows from that.

    Between two of `widening` the factor lies between theirs.
    """

    artifact: Artifact = Field(description="plain arrays, see `typicality.py`")
    warn_below: Share = Field(
        description="if a smaller share of rows is as unusual, and none has such a combination"
    )
    widening: tuple[Widening, ...] = Field(min_length=1)
    place: tuple[str, ...] = Field(default=(), description="the fields that say where it lies")
    distances: tuple[NonNegativeInt, NonNegativeInt] | None = Field(
        default=None,
        description="columns in front of the estimator's last step: to the nearest training row, "
        "and to a farther one",
    )

    @model_validator(mode="after")
    def check_widening(self) -> Self:
        shares = [each.typical for each in self.widening]
        if shares != sorted(set(shares)):
            raise ValueError("needs rising shares")
        if bool(self.place) != (self.distances is not None):
            raise ValueError("needs either both place and distances, or none of them")
        return self


class LabelledRows(_Strict):
    """Rows of the training that come from the input log: inputs and what was really paid."""

    artifact: Artifact = Field(description="lines of the log's export, with actual prices")
    rows: int = Field(description="trained on")
    received_from: datetime
    held_out_from: datetime = Field(description="received from then on: only judged by")
    held_out_rows: int
    received_until: datetime = Field(description="when the newest of those held out came")
    repeated: int = Field(description="left out: a later one describes the same house")
    replaced: int = Field(description="rows of the data, left out for newer sales of the house")
    price_level: float = Field(gt=0, description="what the prices of the data were multiplied by")


class Training(_Strict):
    """What is needed to make the same version again."""

    data_file: str
    data_url: str
    data_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    rows: int
    seed: int
    parameters: dict[str, Any]
    code_revision: str
    trained_at: datetime
    # What the cards of older versions don't say.
    python: str | None = Field(default=None, description="version of Python")
    study: str | None = Field(default=None, description="name of the search for the parameters")
    best_trial: int | None = Field(default=None, description="number of the trial that won it")
    # What only some versions have.
    kept_rows: int | None = Field(
        default=None, description="rows of the data, held out, that the version has never seen"
    )
    labelled: LabelledRows | None = Field(default=None, description="rows from the input log")


class Golden(_Strict):
    """A prediction made when the version was registered; it must come out again."""

    input: dict[str, Any]
    price: FiniteFloat


class ModelCard(_Strict):
    """`card.json`: what a model takes, what it gives, how good it is and where it comes from."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    version: str = Field(pattern=r"^[0-9]+$")
    title: str
    description: str
    target: Target
    features: tuple[Feature, ...] = Field(min_length=1)
    interval: Interval | None = None
    metrics: dict[str, Any] = Field(description="measured on rows never used in training")
    training: Training
    libraries: dict[str, str] = Field(description="distribution name to exact version")
    artifact: Artifact
    example: dict[str, Any] = Field(description="one realistic request")
    golden: tuple[Golden, ...] = ()
    # What the cards of older versions don't have.
    relations: tuple[Relation, ...] = ()
    typical: Typical | None = None

    @model_validator(mode="after")
    def check_names(self) -> Self:
        names = {to_camel(feature.name) for feature in self.features}
        if len(names) != len(self.features):
            raise ValueError("two features have the same name, in snake_case or in camelCase")
        if len({feature.column for feature in self.features}) < len(self.features):
            raise ValueError("two features have the same column")
        return self

    @model_validator(mode="after")
    def check_place(self) -> Self:
        names = {feature.name for feature in self.inputs}
        for name in self.typical.place if self.typical else ():
            if name not in names:
                raise ValueError(f"a place has {name}, which is none of the features")
        return self

    @model_validator(mode="after")
    def check_relations(self) -> Self:
        features = {feature.name: feature for feature in self.inputs}
        for relation in self.relations:
            for name in relation.fields:
                feature = features.get(name)
                if feature is None:
                    raise ValueError(f"a relation has {name}, which is none of the features")
                if name in relation.numbers and feature.categories:
                    raise ValueError(f"a relation has {name} as a number, which is a category")
                if name not in relation.numbers and feature.none is None:
                    raise ValueError(f"a relation has {name}, which has no category for none")
        return self

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Every file that the version is made of, beside the card."""
        return self.pickles if self.typical is None else (*self.pickles, self.typical.artifact)

    @property
    def pickles(self) -> tuple[Artifact, ...]:
        """The files of the estimators: of the price, and of its spread if there is one."""
        if self.interval is None or self.interval.artifact is None:
            return (self.artifact,)
        return (self.artifact, self.interval.artifact)

    @property
    def inputs(self) -> tuple[Feature, ...]:
        """The features that reach the estimator, in its order."""
        return tuple(feature for feature in self.features if feature.kind != "identifier")


def read_card(folder: Path) -> ModelCard:
    """Read `card.json` of a version folder.

    Raises:
        ModelRefused: there is no card, or it doesn't say what a card must.
    """
    path = folder / CARD
    try:
        return parse_card(path.read_bytes(), str(path))
    except OSError as error:
        raise ModelRefused(f"{path}: {error.strerror}") from error


def parse_card(content: bytes, path: str) -> ModelCard:
    """Parse the content of `card.json`; `path` is for the message.

    Raises:
        ModelRefused: it doesn't say what a card must.
    """
    try:
        return ModelCard.model_validate_json(content.removeprefix(BOM_UTF8))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelRefused(f"{path}: {where}: {first['msg']}") from error
