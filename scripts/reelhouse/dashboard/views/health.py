"""Data health: what was loaded, rejected, tested and published."""

from reelhouse.dashboard.page import *

PLACE = 90


def blocks(at: At) -> Iterator[Block]:  # noqa: ARG001
    yield Verdict(
        "{verdict}: newest rating **{last_rated_at:%Y-%m-%d}**, last load "
        "**{loaded_at:%Y-%m-%d}**, published **{published_at:%Y-%m-%d %H:%M} UTC**, "
        "**{tests:,}** tests of **{models:,}** models passed, **{rejected:,}** records "
        "rejected, **{unexplained:,}** unexplained.",
        """
        select state.*, unexplained = 0 and refused = 0 and rated > 0 as is_well,
            case
                when unexplained > 0 then 'Look at the reconciliation'
                when refused > 0 then 'Look at the files that were refused'
                when rated = 0 then 'There are no ratings'
                else 'The published tables passed every check'
            end as verdict
        from (
            select publication.published_at, publication.tests, publication.models,
                (select max(rated_at) from serving.fct_ratings) as last_rated_at,
                (select count(*) from serving.fct_ratings) as rated,
                (select max(loaded_at) from serving.health_loads) as loaded_at,
                (select coalesce(sum(rejected_lines), 0) from serving.health_rejects)
                    as rejected,
                (
                    select coalesce(sum(row_count), 0)
                    from serving.health_reconciliation
                    where reason = 'unexplained'
                ) as unexplained,
                (
                    select count(*)
                    from serving.health_loads
                    where status = 'refused'
                        and load_id = (select max(load_id) from serving.health_loads)
                ) as refused
            from serving.publication as publication
        ) as state""",
    )
    yield Stale(
        "Out of date",
        says="Tables and tests that new loads or edits have made out of date, and why. "
        "The published tables stay as they are until these are built.",
    )
    yield Table(
        "Runs",
        f"""
        select published_at, load_id, coalesce(load_seconds, 0) as load_seconds,
            coalesce(build_seconds, 0) as build_seconds, seconds
        from serving.publications
        order by published_at desc
        limit {LISTED}""",
        says="Runs that published something, and how long they took. Loads and builds "
        "by separate commands are not counted.",
        empty="Nothing is published.",
    )
    yield Section("Loads")
    yield Table(
        "Loads that changed something",
        f"""
        select load_id, max(loaded_at) as loaded_at, max(delivery) as delivery,
            count(*) as files,
            sum(records) as records, sum(rows_new) as rows_new,
            sum(rows_removed) as rows_removed, sum(rows_rejected) as rows_rejected
        from serving.health_loads
        group by load_id
        order by load_id desc
        limit {LISTED}""",
    )
    yield Table(
        "Files",
        f"""
        select load_id, loaded_at, file, status, records, rows_new, rows_removed,
            rows_rejected, size as bytes
        from serving.health_loads
        order by load_id desc, file
        limit {LISTED}""",
    )
    yield Table(
        "Movies that loads changed",
        f"""
        select movie_id, title, nullif(title_before, title) as title_before,
            replace(genres, '|', ', ') as genres,
            replace(nullif(genres_before, genres), '|', ', ') as genres_before,
            version_number = 1 as is_new, is_deleted, valid_from as changed_at
        from (
            select *,
                lag(title) over (partition by movie_id order by version_number)
                    as title_before,
                lag(genres) over (partition by movie_id order by version_number)
                    as genres_before
            from serving.dim_movies_history
        ) as versions
        where extract(year from valid_from) > 1900
        order by valid_from desc, version_number desc, movie_id
        limit {LISTED}""",
        says="What loads after the first one changed about movies.",
        empty="No load after the first has changed a movie.",
        to="movie",
    )
    yield Section("Rejects")
    yield Table(
        "Rejected records",
        f"""
        select file, reason, rejected_lines
        from serving.health_rejects
        order by rejected_lines desc, file, reason
        limit {LISTED}""",
        says="Rejected records, by file and reason.",
        empty="No record was rejected.",
    )
    yield Section("Tables")
    yield Table(
        "Reconciliation",
        """
        select entity, layer, reason, row_count
        from serving.health_reconciliation
        where row_count > 0 or reason = 'unexplained'
        order by entity,
            case layer
                when 'file' then 1 when 'raw' then 2 when 'staging' then 3 else 4 end,
            layer, reason""",
        says="Rows of each layer, and why they are fewer or more than in the one "
        "before; nothing may stay unexplained.",
        empty="There is nothing to reconcile.",
    )
    yield Table(
        "Published tables",
        "select name, kind, row_count from serving.published_tables order by name",
        empty="Nothing is published.",
    )
