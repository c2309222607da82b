"""The textbook script: Optuna, Lightning's Trainer with its defaults, a DataLoader, Lightning's MLflow logger, no stopping.

A typical script for the same networks. Three things favour it: batches are augmented as a whole
(one image at a time is slower), the finished network is exported by this project's exporter (torch's own takes seconds),
and `train.lr` is scaled, see `ADAMW`.
"""

from __future__ import annotations

import optuna
import pytorch_lightning as pl
import torch
from mlflow import MlflowClient
from pytorch_lightning.loggers import MLFlowLogger
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from lepton_automl import families
from lepton_automl.data.open import Data, Split, open_data
from lepton_automl.deployment.export import export
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.measuring.latency import baseline_latency
from lepton_automl.modalities.image.augment import ImageAugment
from lepton_automl.modalities.image.spec import INPUT, ImageAugmentation
from lepton_automl.models.build import RecipeNet, build
from lepton_automl.models.deployable import deployable
from lepton_automl.pipelines.cost import CostProfiler, reference
from lepton_automl.pipelines.pack import artifact_scores
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.profile import Profile
from lepton_automl.space import Config
from lepton_automl.specs import DataSpec, Deployment

from .plain import optimize
from .setting import Setting

# Factor for the space's rates, which are meant for schedule-free AdamW with warm-up and clipped gradients. On three networks
# of the space after 19 epochs: mean accuracy 0.68 with the original rates, 0.80 with a factor of 0.3, 0.78 with 0.1.
ADAMW = 0.3


class Classifier(pl.LightningModule):
    """A network and its training."""

    def __init__(self, model: RecipeNet, plan: TrainPlan, spec: DataSpec, config: Config) -> None:
        super().__init__()
        self.save_hyperparameters(config)
        assert isinstance(plan.augment, ImageAugmentation)
        self.model, self.plan, self.augment = model, plan, ImageAugment(plan.augment, spec)
        self.chance = torch.Generator().manual_seed(plan.seed)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        return cross_entropy(outputs, targets, label_smoothing=smoothing)

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, targets = batch
        inputs, partner, share = self.augment({INPUT: images}, self.chance)
        outputs, smoothing = self.model(**inputs), self.plan.label_smoothing
        loss = self.loss(outputs, targets, smoothing)
        if partner is not None:
            loss = share * loss + (1 - share) * self.loss(outputs, targets[partner], smoothing)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        images, targets = batch
        outputs = self.model(image=images)
        self.log("val_loss", self.loss(outputs, targets), prog_bar=True)
        self.log("val_accuracy", (outputs.argmax(1) == targets).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=ADAMW * self.plan.lr, weight_decay=self.plan.weight_decay)


def compete(setting: Setting) -> None:
    """Search until killed."""
    data = open_data(setting.prepared())
    uri = f"sqlite:///{setting.path / 'mlflow.db'}"
    with setting.alone("mlflow"):  # two processes must not create the same tables at once
        client = MlflowClient(tracking_uri=uri)
        if client.get_experiment_by_name("textbook") is None:
            client.create_experiment("textbook", artifact_location=str(setting.path / "artifacts"))
    profiler = CostProfiler(
        data, Deployment(), MeasurementLock(str(setting.path / "gate")), baseline_latency(reference(1)).median
    )

    def objective(trial: optuna.Trial, config: Config) -> tuple[float, float]:
        seed = setting.seed * 100_003 + trial.number
        pl.seed_everything(seed)
        plan = families.plan_of(config, setting.plan(data.spec), data.spec).replace(seed=seed)
        # A typical script does not prune during training; it uses the pruned shapes from the first epoch.
        model = build(families.final_recipe(config, data.spec, PrunePlan()), seed=seed)
        logger = MLFlowLogger("textbook", run_name=f"trial-{trial.number}", tracking_uri=uri)
        trainer = pl.Trainer(max_epochs=plan.epochs, logger=logger, default_root_dir=setting.path / "lightning")
        classifier = Classifier(model, plan, data.spec, config)
        trainer.fit(classifier, loader(data.train, plan, shuffle=True), loader(data.validation, plan))
        accuracy, profile = finished(model.cpu(), data, profiler, setting, trial.number)
        logger.log_metrics({"accuracy": accuracy, "latency_ms": profile.latency_ms})
        setting.trained(accuracy, profile)
        return accuracy, profile.latency_ms

    optimize(setting, families.space_for(data.spec), objective)


def loader(split: Split, plan: TrainPlan, *, shuffle: bool = False) -> DataLoader[tuple[Tensor, ...]]:
    """Rows of a split, collated one by one into batches."""
    return DataLoader(TensorDataset(split.inputs["image"], split.targets), batch_size=plan.batch_size, shuffle=shuffle)


def finished(model: RecipeNet, data: Data, profiler: CostProfiler, setting: Setting, number: int) -> tuple[float, Profile]:
    """Accuracy and profile of the exported network, on the same rows and with the same clock as for all contestants."""
    path = setting.path / f"{number}.onnx"
    export(deployable(model, data.spec), profiler.sample, path)
    return artifact_scores(path, data.validation, data.spec)["accuracy"], profiler.profile_file(path, model)
