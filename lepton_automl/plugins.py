"""Plug-ins: everything that is chosen by name, from this and from other packages.

Other packages register theirs by entry points in the groups `lepton_automl.runtimes`, `lepton_automl.devices` and so on (see
`KINDS`). Ours are listed in `BUILT_IN`, which a test compares with the entry points in pyproject.toml: a checkout works even if
the metadata of the installed package is older. Nothing is imported until `load` is called.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Any

from .errors import Complaints, ConfigError, ExtraError, in_one_line, one_of

PACKAGE = "lepton-automl"  # the distribution whose entry points are those of `BUILT_IN`
PREFIX = "lepton_automl."  # of the groups of entry points

# By kind: names, each with the module and the attribute where it is defined.
BUILT_IN: dict[str, dict[str, str]] = {
    "modalities": {
        "image": "lepton_automl.modalities.image:ImageModality",
        "table": "lepton_automl.modalities.table:TableModality",
    },
    "tasks": {
        "binary": "lepton_automl.tasks.classification:Binary",
        "multiclass": "lepton_automl.tasks.classification:Multiclass",
        "multilabel": "lepton_automl.tasks.multilabel:Multilabel",
        "regression": "lepton_automl.tasks.regression:Regression",
        "quantile": "lepton_automl.tasks.quantile:QuantileRegression",
    },
    "objectives": {
        "latency": "lepton_automl.measuring.costs:Latency",
        "size": "lepton_automl.measuring.costs:Size",
        "parameters": "lepton_automl.measuring.costs:Parameters",
        "macs": "lepton_automl.measuring.costs:Macs",
        "memory": "lepton_automl.measuring.costs:Memory",
        "cold_start": "lepton_automl.measuring.costs:ColdStart",
        "energy": "lepton_automl.measuring.costs:Energy",
    },
    "families": {
        "conv": "lepton_automl.modalities.image.family:ConvFamily",
        "pretrained": "lepton_automl.modalities.image.pretrained.family:PretrainedFamily",
        "table": "lepton_automl.modalities.table.family:TableFamily",
        "sequential": "lepton_automl.modalities.image.sequential:SequentialFamily",
        "linear_image": "lepton_automl.modalities.image.linear:LinearImageFamily",
        "linear_table": "lepton_automl.modalities.table.linear:LinearTableFamily",
        "ensemble": "lepton_automl.ensembles.family:EnsembleFamily",
    },
    "devices": {
        "cpu": "lepton_automl.devices.cpu:Cpu",
        "cuda": "lepton_automl.devices.cuda:Cuda",
    },
    "runtimes": {
        "onnxruntime": "lepton_automl.deployment.runtime:OnnxRuntime",
        "openvino": "lepton_automl.deployment.runtime:OpenVino",
        "torch": "lepton_automl.deployment.runtime:Torch",
    },
    "executors": {
        "local": "lepton_automl.execution.local:LocalExecutor",
    },
    "readers": {
        "url": "lepton_automl.readers.remote:RemoteReader",
        "sql": "lepton_automl.readers.sql:SqlReader",
        "npz": "lepton_automl.readers.npz:NpzReader",
        "splits": "lepton_automl.readers.splits:SplitsReader",
        "hugging_face": "lepton_automl.readers.hugging_face:HuggingFaceReader",
        "torch": "lepton_automl.readers.torch_data:TorchReader",
        "tensorflow": "lepton_automl.readers.tf_data:TensorFlowReader",
        "frame": "lepton_automl.readers.frames:FrameReader",
        "list": "lepton_automl.readers.lists:ListReader",
        "iterator": "lepton_automl.readers.iterables:IterableReader",
    },
    "samplers": {
        "tpe": "lepton_automl.search.samplers:TpeSampler",
        "gp": "lepton_automl.search.samplers:GpSampler",
        "nsga2": "lepton_automl.search.samplers:Nsga2Sampler",
        "random": "lepton_automl.search.samplers:RandomSampler",
        "grid": "lepton_automl.search.samplers:GridSampler",
    },
}
# What one plug-in of a kind is called in messages.
KINDS: dict[str, str] = {
    "modalities": "modality",
    "tasks": "task",
    "objectives": "objective",
    "families": "network family",
    "devices": "device",
    "runtimes": "runtime",
    "executors": "executor",
    "readers": "source reader",
    "samplers": "sampler",
}


@dataclass(frozen=True)
class Plugin:
    """Where a plug-in is defined.

    Args:
        name: The name that selects it.
        target: Its module and attribute, as `"module:attribute"`.
        package: The distribution that provides it.
    """

    name: str
    target: str
    package: str


def names(kind: str) -> tuple[str, ...]:
    """The names of all plug-ins of a kind, ours first; none of them is imported.

    Args:
        kind: One of `KINDS`.

    Raises:
        ConfigError: There is no such kind, or two packages provide plug-ins of the same name.
    """
    return tuple(_installed(kind))


def is_known(kind: str, name: str) -> bool:
    """Whether there is a plug-in of this name; for ours, no other package is searched, which takes some 50 ms once per process.

    Raises:
        ConfigError: As for `names`.
    """
    return name in _built_in(kind) or name in _installed(kind)


def check_plugin(kind: str, name: object, complaints: Complaints) -> None:
    """Add a complaint if no plug-in of a kind has this name."""
    if not (isinstance(name, str) and is_known(kind, name)):
        complaints.add(f"there is no {KINDS[kind]} {name!r}", one_of(str(name), names(kind)))


def load(kind: str, name: str) -> Any:
    """Import a plug-in.

    Args:
        kind: One of `KINDS`.
        name: One of `names(kind)`.

    Returns:
        The object that its entry point names.

    Raises:
        ConfigError: There is none of this name, or two packages provide it.
        ExtraError: Its package is installed but cannot be imported.
    """
    built_in = _built_in(kind)
    plugins = {name: Plugin(name, built_in[name], PACKAGE)} if name in built_in else _installed(kind)  # see `is_known`
    if name not in plugins:
        fix = one_of(name, plugins) if plugins else f"Install a package that provides one (entry points {PREFIX}{kind})."
        raise ConfigError(f"there is no {KINDS[kind]} {name!r}", where=kind, fix=fix)
    plugin = plugins[name]
    module, _, attribute = plugin.target.partition(":")
    try:
        return functools.reduce(getattr, attribute.split("."), importlib.import_module(module))
    except Exception as error:  # another package may fail in any way while it is imported
        raise ExtraError(
            f"the {KINDS[kind]} {name!r} of the package {plugin.package} cannot be imported ({plugin.target}): {in_one_line(error)}",
            where=kind,
            fix=f"Repair it with pip install --upgrade {plugin.package}, or remove it with pip uninstall {plugin.package}.",
        ) from error


@functools.cache
def instance(kind: str, name: str) -> Any:
    """A plug-in whose class needs no arguments, constructed once per process; otherwise like `load`."""
    return load(kind, name)()


def forget() -> None:
    """Search the packages again at the next call, after one was installed or removed."""
    _installed.cache_clear()
    instance.cache_clear()


def _built_in(kind: str) -> dict[str, str]:
    if kind not in KINDS:
        raise ConfigError(f"there is no kind of plug-in {kind!r}", where="plugins", fix=one_of(kind, KINDS))
    return BUILT_IN[kind]


@functools.cache
def _installed(kind: str) -> dict[str, Plugin]:
    """All plug-ins of a kind by name.

    Raises:
        ConfigError: Two packages provide plug-ins of the same name.
    """
    plugins_by_name = {name: Plugin(name, target, PACKAGE) for name, target in _built_in(kind).items()}
    from importlib.metadata import entry_points  # takes longer to import than all of this package's public names

    for entry in sorted(entry_points(group=PREFIX + kind), key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist is not None else "unknown"
        if package.lower().replace("_", "-") == PACKAGE:
            continue
        if entry.name in plugins_by_name:
            other = plugins_by_name[entry.name].package
            raise ConfigError(
                f"the packages {other} and {package} both provide a {KINDS[kind]} named {entry.name!r}",
                where=kind,
                fix=f"Uninstall one of them, for example with pip uninstall {package}.",
            )
        plugins_by_name[entry.name] = Plugin(entry.name, entry.value, package)
    return plugins_by_name
