"""Invented film titles in MovieLens's form: article last, then the year.

A title is built from a form and word lists, guided by the film's genres. Odd titles as
in the real files (no year, two brackets, white space) are added by `catalogue`.
"""

from __future__ import annotations

from collections.abc import Sequence

from reelhouse.movielens.generator.chance import Dice
from reelhouse.movielens.generator.words import FIGURES, WORDS

_FORMS = [form for share, form in FIGURES["titles"] for _ in range(share)]


class _Parts(dict[str, str]):
    """The parts of a form, each drawn when the form asks for it."""

    def __init__(self, dice: Dice, genres: Sequence[str], place: str) -> None:
        super().__init__(place=place)
        self._dice, self._genres = dice, genres

    def __missing__(self, name: str) -> str:
        if name in WORDS:
            return str(self._dice.choose(WORDS[name]))
        return str(getattr(self, name)())

    def adjective_noun(self) -> str:
        dice = self._dice
        genre = dice.choose(self._genres) if self._genres else "Drama"
        adjectives, nouns = WORDS["genre_words"][genre]
        if dice.below(3) == 0:
            adjectives = WORDS["adjectives"]
        elif dice.below(4) == 0:
            nouns = WORDS["nouns"]
        adjective, noun = dice.choose(adjectives), dice.choose(nouns)
        # Avoid titles such as "Winter Winter" and "Paper Paper".
        return f"{adjective} {noun}" if adjective != noun else f"Other {noun}"

    def article_last(self) -> str:
        text = self.adjective_noun()
        return f"{text}, {'An' if text[0] in 'AEIOUÉ' else 'A'}"

    def person(self) -> str:
        is_full = self._dice.below(3) == 0
        return ("{people} {surnames}" if is_full else "{people}").format_map(self)

    def foreign_title(self) -> str:
        heads, tails = self._dice.choose([*WORDS["foreign"].values()])
        english, original, article = self._dice.choose(heads)
        of_english, of_original = self._dice.choose(tails)
        return f"{english} of {of_english}, The ({original} {of_original}, {article})"

    def three_materials(self) -> str:
        materials = WORDS["materials"]
        first = self._dice.below(len(materials))
        steps = (first + 1 + self._dice.below(4), first + 6 + self._dice.below(4))
        one, two, three = (materials[i % len(materials)] for i in (first, *steps))
        return f"{one}, {two} and {three}"


def make_title(dice: Dice, genres: Sequence[str]) -> str:
    """A title without its year, such as 'Lantern Keeper of Oran, The'."""
    form = _FORMS[dice.below(100)]
    place = dice.choose(WORDS["places"])
    return str(form.format_map(_Parts(dice, genres, place)))
