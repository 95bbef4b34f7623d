"""The dashboards inside Snowflake, on SERVING of the database that they lie in."""

from __future__ import annotations

import sys
from pathlib import Path

# `snowflake.yml` puts the package beside this file, in the place it has in the project.
sys.path.insert(0, str(Path(__file__).resolve().parent / "scripts"))

from reelhouse.dashboard.app import show
from reelhouse.dashboard.published import InSnowflake

show(InSnowflake())
