"""Query: one read-only question to the published tables."""

from __future__ import annotations

from reelhouse.engines.engine import engine_of
from reelhouse.engines.warehouse import Answer, CannotAnswer
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings


def ask(settings: Settings, question: str) -> Answer:
    """Column names and rows of one select on the published tables of a target.

    Raises ReelhouseError where it cannot be run.
    """
    engine = engine_of(settings)
    engine.check_question(question)
    with engine.reading(settings) as answer:
        try:
            return answer(question)
        except CannotAnswer as error:
            raise ReelhouseError(
                f"The question cannot be answered ({error}): the tables are those of "
                f"`reelhouse query 'select * from published_tables'`."
            ) from error
