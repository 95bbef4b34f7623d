"""Rules are data: editing a seed changes its own results and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.delivery import query
from tests.project import PROJECT
from tests.tree import EditedTree

from reelhouse.run import NO_UNIT_TESTS
from reelhouse.serving.compare import compare
from reelhouse.serving.publish import publish
from reelhouse.settings import Settings
from reelhouse.transform.build import build

# The number of seed lines to keep, the added lines, and the tables that differ.
CHANGES: dict[str, tuple[int | None, list[str], set[str]]] = {
    "engagement_levels": (
        2,
        ["Busy,0.5", "Idle,0"],
        {
            "dim_users",
            "mart_genre_engagement",
            "mart_user_behaviour",
            "mart_user_behaviour_by_genre",
            "mart_user_engagement",
        },
    ),
    "genres": (None, ["Opera,true"], {"dim_genres", "mart_genre_ratings"}),
    "movie_release_dates": (
        None,
        ["0626117,A made film,1999-12-31,none"],
        {"mart_movie_releases"},
    ),
    "recommendation_categories": (
        None,
        ["hidden_gem,5,4.1,4"],
        {"mart_movie_recommendations", "mart_recommendation_history"},
    ),
}
# The values that the changed rules must produce on the sample.
OUTCOMES = [
    (
        "select count(*) filter (engagement_level = 'Idle') > 100, "
        "list(distinct engagement_level order by engagement_level) "
        "from mart_user_engagement",
        (True, ["Busy", "Idle", "Super-High"]),
    ),
    ("select is_listed from dim_genres where genre = 'Opera'", (True,)),
    (
        "select cast(release_date as varchar), release_info "
        "from mart_movie_releases where movie_id = 1",
        ("1999-12-31", "date"),
    ),
    (
        "select count(*) > 0, min(rating_count) >= 5, min(priority), max(priority) "
        "from mart_movie_recommendations "
        "where recommendation_category = 'hidden_gem'",
        (True, True, 4, 4),
    ),
]


@pytest.mark.nightly
def test_a_changed_seed_changes_its_outcome_and_nothing_else(
    sample: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = replace(sample, warehouse=tmp_path / "warehouse")
    changed.warehouse.mkdir()
    shutil.copy(sample.database, changed.warehouse)
    tree = EditedTree(tmp_path, monkeypatch)
    for name, (kept, added, _) in CHANGES.items():
        seed = f"seeds/{name}.csv"
        lines = (PROJECT / seed).read_text(encoding="utf-8").splitlines()
        tree.write(seed, "\n".join(lines[:kept] + added) + "\n")
    assert not build(changed, changed.warehouse, None, NO_UNIT_TESTS).failures
    publish(changed)
    after = changed.published
    comparison = compare(sample.published, after)
    differing = {each.name for each in comparison.tables if not each.is_equal}
    assert differing == set().union(*(tables for *_, tables in CHANGES.values()))
    for question, expected in OUTCOMES:
        assert query(after, question)[1] == [expected]
