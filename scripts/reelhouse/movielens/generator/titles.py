"""Invented film titles in MovieLens's form: article last, then the year.

A title is put together from patterns and word lists, led by the film's genres. The
odd forms that real files hold (no year, two brackets, white space) are added by
`catalogue`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from reelhouse.movielens.generator import words
from reelhouse.movielens.generator.chance import draw_one

T = TypeVar("T")


class Dice:
    """Draws in sequence for one item: a counter over its own part of a stream."""

    def __init__(self, key: int, item: int) -> None:
        self._key = key
        self._next = item << 10

    def below(self, limit: int) -> int:
        """An integer in [0, limit)."""
        self._next += 1
        return (draw_one(self._key, self._next) >> 32) * limit >> 32

    def choose(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.below(len(options))]


def _adjective_noun(dice: Dice, genres: Sequence[str]) -> str:
    adjectives, nouns = words.GENRE_WORDS[dice.choose(genres) if genres else "Drama"]
    if dice.below(3) == 0:
        adjectives = words.ADJECTIVES
    elif dice.below(4) == 0:
        nouns = words.NOUNS
    adjective, noun = dice.choose(adjectives), dice.choose(nouns)
    # "Winter Winter" and "Paper Paper" are nobody's title.
    return f"{adjective} {noun}" if adjective != noun else f"Other {noun}"


def _with_article(text: str, article: str) -> str:
    return f"{text}, {article}"


def _a_or_an(text: str) -> str:
    return _with_article(text, "An" if text[0] in "AEIOUÉ" else "A")


def _person(dice: Dice) -> str:
    if dice.below(3) == 0:
        return f"{dice.choose(words.PEOPLE)} {dice.choose(words.SURNAMES)}"
    return dice.choose(words.PEOPLE)


def _foreign(dice: Dice) -> str:
    heads, tails = words.FOREIGN[dice.choose(("fr", "es", "de", "it"))]
    english, original, article = dice.choose(heads)
    of_english, of_original = dice.choose(tails)
    return f"{english} of {of_english}, The ({original} {of_original}, {article})"


def _materials(dice: Dice) -> str:
    first = dice.below(len(words.MATERIALS))
    steps = (first, first + 1 + dice.below(4), first + 6 + dice.below(4))
    one, two, three = (words.MATERIALS[i % len(words.MATERIALS)] for i in steps)
    return f"{one}, {two} and {three}"


def make_title(dice: Dice, genres: Sequence[str]) -> str:
    """A title without its year, such as 'Lantern Keeper of Oran, The'."""
    pattern = dice.below(100)
    place = dice.choose(words.PLACES)
    if pattern < 7:
        return _with_article(f"{dice.choose(words.ROLES)} of {place}", "The")
    if pattern < 14:
        return _with_article(_adjective_noun(dice, genres), "The")
    if pattern < 38:
        return _adjective_noun(dice, genres)
    if pattern < 48:
        owner = dice.choose(words.PEOPLE)
        return f"{owner}'s {dice.choose(words.NOUNS)}"
    if pattern < 53:
        return f"{dice.choose(words.PLURALS)} of {dice.choose(words.ABSTRACTS)}"
    if pattern < 56:
        return _with_article(f"Last {dice.choose(words.VEHICLES)} to {place}", "The")
    if pattern < 65:
        return f"{dice.choose(words.GERUNDS)} {place}"
    if pattern < 69:
        return _a_or_an(_adjective_noun(dice, genres))
    if pattern < 75:
        return f"{_person(dice)} and the {_adjective_noun(dice, genres)}"
    if pattern < 80:
        return f"{dice.choose(words.NUMBERS)} {dice.choose(words.PLURALS)}"
    if pattern < 86:
        return (
            f"{dice.choose(('When', 'Where', 'Before', 'Until'))} the "
            f"{dice.choose(words.PLURALS)} {dice.choose(words.VERBS)}"
        )
    if pattern < 88:
        return _materials(dice)
    if pattern < 91:
        return _foreign(dice)
    if pattern < 94:
        return f"{_person(dice)}: {_adjective_noun(dice, genres)}"
    if pattern < 97:
        return f"{_adjective_noun(dice, genres)} {dice.choose(('2', 'II', 'III', '3'))}"
    return f"{dice.choose(words.PEOPLE)} & {dice.choose(words.PEOPLE)} in {place}"
