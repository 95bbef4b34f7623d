"""The words that titles and tags are made of, from words.yml beside this file."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import yaml

Words = tuple[str, ...]


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(each) for key, each in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


_READ = _frozen(
    yaml.load(
        files(__package__).joinpath("words.yml").read_text(encoding="utf-8"),
        getattr(yaml, "CSafeLoader", yaml.SafeLoader),
    )
)
GENRES: Words = _READ["genres"]
NO_GENRES: str = _READ["no_genres"]
ROLES: Words = _READ["roles"]
PLACES: Words = _READ["places"]
PEOPLE: Words = _READ["people"]
SURNAMES: Words = _READ["surnames"]
ADJECTIVES: Words = _READ["adjectives"]
NOUNS: Words = _READ["nouns"]
ABSTRACTS: Words = _READ["abstracts"]
VEHICLES: Words = _READ["vehicles"]
GERUNDS: Words = _READ["gerunds"]
NUMBERS: Words = _READ["numbers"]
PLURALS: Words = _READ["plurals"]
VERBS: Words = _READ["verbs"]
MATERIALS: Words = _READ["materials"]
GENRE_WORDS: dict[str, Any] = _READ["genre_words"]
FOREIGN: dict[str, Any] = _READ["foreign"]
GENRE_TAGS: dict[str, Words] = _READ["genre_tags"]
PRAISE_TAGS: Words = _READ["praise_tags"]
BLAME_TAGS: Words = _READ["blame_tags"]
PLAIN_TAGS: Words = _READ["plain_tags"]
MOODS: tuple[Words, ...] = _READ["moods"]
PARTS: Words = _READ["parts"]
TYPED_TAGS: Words = _READ["typed_tags"]
