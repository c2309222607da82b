"""What is global in this process and may not be changed by tracking."""

import os

import mlflow


def surroundings():
    """What is global in this process; but for what a thread of MLflow's own takes back some time after its import."""
    kept = {name: value for name, value in os.environ.items() if name != "_MLFLOW_TELEMETRY_SESSION_ID"}
    return kept, mlflow.get_tracking_uri(), mlflow.active_run(), mlflow.tracking.fluent._active_experiment_id
