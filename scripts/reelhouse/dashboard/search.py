"""Search: movies, genres, tags and users by what a reader types.

Case, accents, hyphens and apostrophes make no difference, nor does an article, wherever
it stands: "the matrix" finds "Matrix, The (1999)". Names are read once per version and
normalised here, so that both engines find the same.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from reelhouse.dashboard.published import Place, serving_of

EACH_KIND = 6
ARTICLES = {
    *("the", "a", "an", "le", "la", "les", "l", "un", "une", "el", "los", "las", "il"),
    *("lo", "gli", "der", "die", "das", "ein", "eine", "den", "det", "o", "os", "as"),
}
# Letters that Unicode does not split into another letter and an accent.
LETTERS = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ı": "i", "ß": "ss", "æ": "ae"})
# Removed, so that "spider-man" becomes "spiderman"; anything else separates words.
JOINING = re.compile(r"[’'`´.·–-]|[\u0300-\u036f]")
PARTING = re.compile(r"[\W_]+")
YEAR = re.compile(r" \d{4}$")
# The names that are rated or used most; readers do not miss those beyond the limit.
NAMES = """
    select *
    from (
        select 'movie' as kind, cast(movies.movie_id as varchar) as subject,
            movies.title as name, coalesce(performance.rating_count, 0) as number
        from serving.dim_movies as movies
        left join serving.mart_movie_performance as performance
            on movies.movie_id = performance.movie_id
        where movies.title is not null
        union all
        select 'genre', genre, genre, rating_count
        from serving.mart_genre_ratings
        union all
        select 'tag', tag_normalised, tag_normalised, applications
        from serving.mart_user_tags
        union all
        select 'tag', lower(tag), lower(tag), 0
        from serving.dim_genome_tags
        where lower(tag) not in (select tag_normalised from serving.mart_user_tags)
    ) as names
    order by number desc, kind, subject
    limit 150000"""
USER = """
    select cast(user_id as varchar) as subject, rating_count as number
    from serving.mart_user_engagement
    where user_id = {}"""
NUMBER = re.compile(r"(?:user )?([0-9]{1,19})")


@dataclass(frozen=True)
class Found:
    """A page that matches; `number` counts its ratings, or the uses of a tag."""

    kind: str
    of: str
    name: str
    number: int


def folded(text: str) -> str:
    """Return the normalised words of a text, without articles if others are left."""
    plain = unicodedata.normalize("NFKD", text).lower().translate(LETTERS)
    words = PARTING.split(JOINING.sub("", unicodedata.normalize("NFKD", plain)))
    kept = [word for word in words if word and word not in ARTICLES]
    # Keep articles if only numbers would be left: there is a movie "A (1964)".
    is_name = any(not word.isdigit() for word in kept)
    return " ".join(kept if is_name else filter(None, words))


def find(place: Place, text: str) -> list[Found]:
    """Return what has all words of a text in its name, at most EACH_KIND of each kind.

    Exact matches come first, then names that begin with the words; among equals, those
    that are rated or used most. A number also finds the user with that id.
    """
    phrase = folded(text)
    if not phrase:
        return []
    words = phrase.split()
    fits: dict[str, list[tuple[int, int, Found]]] = {}
    for name, found in _names(place, serving_of(place).version()):
        if all(word in name for word in words):
            is_exact = phrase in {name, YEAR.sub("", name)}
            rank = 0 if is_exact else 1 if name.startswith(phrase) else 2
            fits.setdefault(found.kind, []).append((rank, -found.number, found))
    return [
        found
        for each in fits.values()
        for _, _, found in sorted(each, key=lambda fit: fit[:2])[:EACH_KIND]
    ] + _users(place, phrase)


def _users(place: Place, phrase: str) -> list[Found]:
    match = NUMBER.fullmatch(phrase)
    if not match:
        return []
    users = serving_of(place).ask(USER.format(match[1]))
    return [
        Found("user", each.subject, f"user {each.subject}", int(each.number))
        for each in users.itertuples()
    ]


@lru_cache(maxsize=1)
def _names(place: Place, version: str) -> list[tuple[str, Found]]:  # noqa: ARG001
    frame = serving_of(place).ask(NAMES)
    rows = zip(*(frame[name] for name in frame), strict=True)
    return [
        (folded(name), Found(kind, of, name, int(number)))
        for kind, of, name, number in rows
    ]
