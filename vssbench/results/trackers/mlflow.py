"""MLflow: one experiment per project, one run per result."""

from __future__ import annotations

import os
from pathlib import Path

from vssbench.errors import MissingExtra, UserError, first_line
from vssbench.results.trackers import Entry

TAG = "vssbench.key"


def write(entry: Entry, output: str, project: str) -> bool:
    """Write one result as a finished run; returns False where the experiment has it already.

    output: a folder (runs go to mlflow.db in it, files next to that), or the tracking URI of a server
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise MissingExtra.of("mlflow", "mlflow", "exporting to MLflow") from None
    uri, files = output, None
    if "://" not in output:
        folder = Path(output).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        uri, files = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
    try:
        client = MlflowClient(tracking_uri=uri)
        known = client.get_experiment_by_name(project)
        experiment = known.experiment_id if known else client.create_experiment(project, files)
        if client.search_runs([experiment], f"tags.`{TAG}` = '{entry.key}'"):
            return False
        tags = {TAG: entry.key, "mlflow.note.content": "\n".join(entry.notes)}
        run = client.create_run(experiment, run_name=entry.name)
        now = run.info.start_time
        client.log_batch(
            run.info.run_id,
            metrics=[Metric(name, value, now, 0) for name, value in entry.figures.items()],
            params=[Param(name, value) for name, value in entry.settings.items()],
        )
        client.log_artifact(run.info.run_id, str(entry.file))
        # Last, so that an interrupted run has no key and is written again.
        client.log_batch(run.info.run_id, tags=[RunTag(name, value) for name, value in tags.items()])
        client.set_terminated(run.info.run_id)
    except MlflowException as error:
        raise UserError(f"MLflow refuses: {first_line(error)[:300]}", where=output) from None
    return True
