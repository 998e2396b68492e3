"""A category in any spelling: in any letter case, and with blanks around it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Spellings:
    """Finds the category that a text names. Categories that are numbers are not named by texts.

    Where two categories differ only in letter case or in blanks around them, neither is found:
    each is named by its exact text only.
    """

    def __init__(self, categories: Sequence[object]) -> None:
        folded = {each: each.strip().casefold() for each in categories if isinstance(each, str)}
        counts = Counter(folded.values())
        self._texts = {key: each for each, key in folded.items() if counts[key] == 1}
        self._max_chars = max(map(len, self._texts), default=0)

    def find(self, text: object) -> str | None:
        """Give the category, None if the text names none."""
        if not isinstance(text, str):
            return None
        stripped = text.strip()
        # To fold the case of megabytes takes a tenth of a second.
        if len(stripped) > self._max_chars:
            return None
        return self._texts.get(stripped.casefold())


class AnySpelling:
    """Annotates a `Literal`: takes its texts in any spelling, as the exact texts.

    An exact text is found by the `Literal` itself; only where it fails, Python code runs. A refusal
    is in the `Literal`'s own words.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        literal: Any = handler(source)
        spellings = Spellings(literal["expected"])

        def find(value: object) -> str:
            category = spellings.find(value)
            if category is None:
                raise ValueError
            return category

        return core_schema.union_schema(
            [literal, core_schema.no_info_plain_validator_function(find)],
            mode="left_to_right",
            custom_error_type="literal_error",
            custom_error_context={"expected": _write_expected(literal["expected"])},
        )

    def __get_pydantic_json_schema__(
        self, schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        literal, _ = schema["choices"]
        return handler(literal)


def _write_expected(categories: Sequence[object]) -> str:
    """Say which values a `Literal` takes, as its own errors do: `'Grvl' or 'Pave'`."""
    *others, last = map(repr, categories)
    return f"{', '.join(others)} or {last}" if others else last
