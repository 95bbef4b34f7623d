"""Reelhouse in Airflow with Cosmos: the load, each dbt model as a task, the publish.

Link this file into Airflow's folder of DAGs. Airflow needs astronomer-cosmos in its own
environment; Reelhouse stays in the .venv that `make run` installed. Run `dbt parse`
after each change of the tree: the tasks are those of target/manifest.json.
"""

import os
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from cosmos import (
    DbtTaskGroup,
    ExecutionConfig,
    LoadMode,
    ProfileConfig,
    ProjectConfig,
    RenderConfig,
    TestBehavior,
)

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv/bin"
# Cosmos runs dbt in a copy of the project, where a relative path leads elsewhere.
WAREHOUSE = os.environ.get("REELHOUSE_WAREHOUSE", str(ROOT / "data/warehouse"))
ENVIRONMENT = {"REELHOUSE_WAREHOUSE": WAREHOUSE}


def reelhouse(command: str) -> BashOperator:
    """A task that runs a command of the project."""
    return BashOperator(
        task_id=command,
        bash_command=f"{BIN}/reelhouse {command}",
        cwd=str(ROOT),
        env=ENVIRONMENT,
        append_env=True,
    )


# DuckDB has one writer at a time; on Snowflake several tasks can run at once.
with DAG("reelhouse", schedule="@daily", catchup=False, max_active_tasks=1):
    tables = DbtTaskGroup(
        group_id="tables",
        project_config=ProjectConfig(ROOT, manifest_path=ROOT / "target/manifest.json"),
        profile_config=ProfileConfig(
            profile_name="reelhouse",
            target_name=os.environ.get("DBT_TARGET", "dev"),
            profiles_yml_filepath=ROOT / "profiles.yml",
        ),
        execution_config=ExecutionConfig(dbt_executable_path=str(BIN / "dbt")),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST, test_behavior=TestBehavior.AFTER_ALL
        ),
        operator_args={"env": ENVIRONMENT, "append_env": True},
    )
    reelhouse("load") >> tables >> reelhouse("publish")
