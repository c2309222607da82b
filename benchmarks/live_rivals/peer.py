"""The peer: a plain Optuna study over this project's own trainer, every training in full."""

from __future__ import annotations

import optuna

from lepton_automl import families
from lepton_automl.jobs import CONTINUE, TrialJob
from lepton_automl.measuring.latency import baseline_latency
from lepton_automl.pipelines.cost import reference
from lepton_automl.pipelines.trial import run_trial
from lepton_automl.plans import PrunePlan
from lepton_automl.space import Config
from lepton_automl.specs import Deployment

from .plain import optimize
from .setting import Setting


def compete(setting: Setting) -> None:
    """Search until killed."""
    spec = setting.prepared()
    own = baseline_latency(reference(1)).median
    plan = setting.plan(spec)

    def objective(trial: optuna.Trial, config: Config) -> tuple[float, float]:
        job = TrialJob(
            trial=trial.number,
            uid=f"peer-{trial.number}",
            config=config,
            data=spec,
            deployment=Deployment(),
            train=plan.replace(seed=setting.seed * 100_003 + trial.number),
            prune=PrunePlan(),
            metric="accuracy",
            folder=str(setting.path / "trials" / str(trial.number)),
            measurement_lock=str(setting.path / "gate"),
            reference_ms=own,
        )
        result = run_trial(job, lambda _: CONTINUE)
        assert result.profile is not None
        setting.trained(result.scores["accuracy"], result.profile)
        return result.scores["accuracy"], result.profile.latency_ms

    optimize(setting, families.space_for(spec), objective)
