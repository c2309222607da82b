"""The model card: the network, its scores, its speed and its training data (Mitchell et al., FAT* 2019)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lepton_automl.modality import Usage, modality_of
from lepton_automl.objective import known_costs
from lepton_automl.profile import Profile
from lepton_automl.recipe import Recipe, describe
from lepton_automl.specs import DataSpec, Deployment
from lepton_automl.task import task_of
from lepton_automl.texts import code_span, join_words, many, markdown
from lepton_automl.variant import Variant

LONGEST = 1000  # characters of a warning


def model_card(
    *,
    name: str,
    recipe: Recipe,
    spec: DataSpec,
    deployment: Deployment,
    profile: Profile,
    metric: str,
    scores: Mapping[str, float],
    variant: Variant | None = None,
    probabilities: str = "",
    tuned: Sequence[str] = (),
    interval: tuple[float, float] | None = None,
    region_rows: int = 0,
    learned: int = 0,
    retrained: Sequence[int] = (),
) -> str:
    """The card in Markdown.

    Args:
        name: The model's name, such as `"flowers/12"`.
        recipe: Its network.
        spec: Its data.
        deployment: The device that it was measured on.
        profile: Its measured costs on that device.
        metric: The metric that it was chosen by.
        scores: Its scores on rows that it was not trained on.
        variant: The runtime and precision that it was measured with; by default float32 in ONNX Runtime.
        probabilities: A sentence on whether its probabilities are calibrated.
        tuned: What of the decoding was tuned on the rows of the scores, such as `"thresholds"`.
        interval: The 95 % interval of its score in the metric; None if it is not known.
        region_rows: The rows that its prediction sets or intervals were calibrated on; 0 if it has none.
        learned: The rows that it was trained on again; 0 if it is the model that was scored.
        retrained: Of an ensemble, the trials whose networks were trained again.
    """
    sections = (
        f"# {markdown(name)}",
        _what(recipe, spec),
        "## Scores\n\n" + _twin(learned, retrained) + _scores(spec, metric, scores, tuned, interval, learned),
        "## Speed\n\n" + _speed(deployment, profile, variant or Variant()),
        "## Training data\n\n" + _data(spec),
        "## Limits\n\n" + _limits(spec, probabilities, region_rows),
        "## How to run it\n\n" + _usage(spec, region_rows),
    )
    return "\n\n".join(sections) + "\n"


def _what(recipe: Recipe, spec: DataSpec) -> str:
    usage, task = modality_of(spec).usage, task_of(spec)
    what = task.what(spec, code_span(spec.target))
    return f"{usage.article} model that predicts {what}, found by lepton_automl.\n\nNetwork: {markdown(describe(recipe))}."


def _twin(learned: int, retrained: Sequence[int]) -> str:
    """What a refitted model's scores are of."""
    if not learned:
        return ""
    subject = "this network was"
    if retrained:  # of an ensemble
        several = len(retrained) > 1
        trials = join_words([f"trial {number}" for number in retrained])
        subject = f"its {'networks' if several else 'network'} of {trials} {'were' if several else 'was'}"
    return (
        f"After it was chosen, {subject} trained again, with the same settings, on {learned:,} rows, the validation rows among "
        "them. The scores are those of its twin before that; on new rows it is expected to be at least as good. Its temperature and its "
        "intervals are the twin's as well.\n\n"
    )


def _scores(  # noqa: PLR0917  # what is scored, and how
    spec: DataSpec,
    metric: str,
    scores: Mapping[str, float],
    tuned: Sequence[str],
    interval: tuple[float, float] | None,
    learned: int,
) -> str:
    rows = (
        f"{spec.validation} validation rows" if spec.validation else f"{spec.folds}-fold cross-validation of {spec.train} rows"
    )
    lines = [f"| {name} | {score:.4g} |" for name, score in sorted(scores.items(), key=lambda item: item[0] != metric)]
    file = "its twin's exported file" if learned else "this exported file"
    note = f"Measured on {file}, on {rows}; slightly optimistic, as the model was chosen by `{metric}`"
    note += f" and the same rows decided its {' and its '.join(tuned)}." if tuned else "."
    note += f" The 95 % interval of `{metric}` is {interval[0]:.4g} to {interval[1]:.4g}." if interval else ""
    return "\n".join([note, "", "| score | value |", "|---|---|", *lines])


def _speed(deployment: Deployment, profile: Profile, variant: Variant) -> str:
    latency, wall = profile.latency, profile.wall
    threads = f"{deployment.threads} thread{'s' * (deployment.threads > 1)}"
    return "\n".join(
        [
            f"{variant.name}, one call with {deployment.batch_size} row{'s' * (deployment.batch_size > 1)} on {threads}, preprocessing included:",
            "",
            f"- latency: {latency.median:.4g} ms (95 % interval {latency.low:.4g} to {latency.high:.4g})",
            f"- by the wall clock: p50 {wall.median:.4g} ms, p95 {wall.p95:.4g} ms",
            f"- size: {profile.size_bytes:,} bytes; weights: {profile.parameters:,}",
            *(f"- {markdown(_titled(name))}: {value:,.10g}" for name, value in profile.costs.items() if not math.isnan(value)),
            f"- host: {markdown(latency.host)}",
            *(f"- note: {markdown(warning)}" for warning in latency.warnings),
        ]
    )


def _titled(name: str) -> str:
    """The title of another cost, and its unit: `"peak memory, bytes"`."""
    declared = known_costs().get(name)
    return f"{declared.title}, {declared.unit}".rstrip(", ") if declared else name


def _data(spec: DataSpec) -> str:
    lines = [
        f"- data: {markdown(spec.name)} ({spec.train:,} training, {spec.validation:,} validation, {many(spec.test, 'held-out test row')})",
        f"- fingerprint: `{spec.digest}`",
        *(f"- warning: {markdown(warning, LONGEST)}" for warning in spec.warnings),
    ]
    return "\n".join(lines)


def _limits(spec: DataSpec, probabilities: str, region_rows: int) -> str:
    text = task_of(spec).limits(spec)
    if task_of(spec).probabilities:
        text += f" {probabilities or 'The calibration of its probabilities was not checked.'}"
    if region_rows:
        kind = "sets of labels" if task_of(spec).holds == "labels" else "intervals"
        text += (
            f" Its {kind} are calibrated on {region_rows:,} rows that it was not trained on: `coverage=0.9` holds the truth in 90 % "
            "of rows like these, on average over all of them."
        )
    return (
        f"{text} It predicts for any input, including data unlike its training data. "
        "Check it on your own data before you rely on it."
    )


def _usage(spec: DataSpec, region_rows: int) -> str:
    usage = modality_of(spec).usage
    region = f"model.predict({usage.python}, coverage=0.9)\n" if region_rows else ""
    proba = f"model.predict_proba({usage.python})\n" if task_of(spec).probabilities else ""
    return (
        f"```\npip install -r requirements.txt{usage.install}\npython predict.py {usage.file}\n```\n\n"
        f'```python\nfrom predict import Predictor\n\nmodel = Predictor(".")\nmodel.predict({usage.python})\n{proba}{region}```\n\n'
        "As a container: `docker build -t model .`. `manifest.json` holds the SHA-256 of every file; a `manifest.sig` beside it "
        "is its author's Ed25519 signature of it. Check the signature of a bundle from others before you run its code.\n\n"
        + _served(usage)
    )


def _served(usage: Usage) -> str:
    """How a registered model is called over HTTP."""
    return (
        "Registered in MLflow, it is served by `lepton serve NAME`, or by "
        f"`mlflow models serve -m models:/NAME@champion --env-manager local -p 5001`. It takes {usage.takes}:\n\n"
        f"```\ncurl localhost:5001/invocations -H 'Content-Type: application/json' -d '{usage.request}'\n```"
    )
