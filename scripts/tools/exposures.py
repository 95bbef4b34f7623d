"""Exposures: dbt's description of the dashboards' pages, generated from the pages.

`python -m tools.exposures` and `make docs` write models/_exposures.yml.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from datetime import date

from reelhouse.dashboard.app import GENRE_NAMES
from reelhouse.dashboard.filters import Filters
from reelhouse.dashboard.page import BOUNDS, At, Page, pages, questions
from reelhouse.dashboard.search import NAMES, USER
from reelhouse.dashboard.start import HOST, USUAL_PORT
from reelhouse.settings import project

EXPOSURES = "models/_exposures.yml"
TABLE = re.compile(r"\bserving\.(\w+)")
# What `publish` adds to the tables of the models.
OF_PUBLISHING = {"publication", "publications", "published_tables"}
# A filter of each kind; and a page about "1", without filters and with all of them.
SOME = Filters(("Drama",), 1990, 2000, 1, date(2001, 1, 1), date(2002, 1, 1))
LOOKS = (At(of="1"), At(SOME, "1"))
HEAD = """\
# Who reads what is published: the pages of `reelhouse dashboard`, with the tables that
# each reads, whatever is filtered or searched there. The address is that of a laptop.
# Written by `make docs`, from the pages.
version: 2

exposures:
"""


def asked(page: Page) -> list[str]:
    """All SQL that a page may run, without filters, with all, and with each alone."""
    found = [
        *(GENRE_NAMES, BOUNDS),
        NAMES,
        USER.format(1),
        *([page.subject] if page.subject else []),
    ]
    looks = [*LOOKS, *(replace(LOOKS[1], filters=SOME.only([k])) for k in SOME.set)]
    return found + [sql for at in looks for sql in questions(page.at(at))]


def tables(page: Page) -> list[str]:
    read = {table for sql in asked(page) for table in TABLE.findall(sql)}
    return sorted(read - OF_PUBLISHING)


def exposures() -> str:
    """The content of models/_exposures.yml."""
    made = []
    for index, page in enumerate(pages().values()):
        # The first page has no path of its own.
        path = f"/{page.name}" if index else ""
        refs = "\n".join(f"      - ref('{table}')" for table in tables(page))
        says = textwrap.fill(page.says, 82, initial_indent=" " * 6)
        made.append(
            f"  - name: {page.name}\n    label: {page.title}\n    description: >\n"
            f"{says}\n    type: dashboard\n    maturity: high\n"
            f"    url: http://{HOST}:{USUAL_PORT}{path}\n"
            f"    owner: {{name: Reelhouse, email: reelhouse@example.com}}\n"
            f"    depends_on:\n{refs}\n"
        )
    return HEAD + "\n".join(made)


if __name__ == "__main__":
    (project() / EXPOSURES).write_text(exposures(), encoding="utf-8")
