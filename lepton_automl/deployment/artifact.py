"""Artifacts, which run on the deployment's device: one file of a runtime, or a folder with one file per program."""

from __future__ import annotations

from pathlib import Path

from lepton_automl.generation import GeneratingDecoder, Generation
from lepton_automl.variant import Variant

from .open_artifact import InferenceSession
from .runtime import Runtime, Source, get_runtime


def float_variants(runtime: Runtime, source: Source) -> tuple[list[Variant], list[Variant]]:
    """The variants of a runtime to try, and those to leave out: networks of several programs are not quantized."""
    if not source.programs:
        return runtime.variants(source), []
    variants = runtime.variants(next(iter(source.programs.values())))
    return [variant for variant in variants if not variant.quantizer], [variant for variant in variants if variant.quantizer]


def write_artifact(variant: Variant, source: Source, path: Path) -> None:
    """Write the artifact of a network in a variant.

    Raises:
        BundleError: It cannot be written.
    """
    runtime = get_runtime(variant.runtime)
    if not source.programs:
        return runtime.write(variant, source, path)
    path.mkdir()
    for name, program in source.programs.items():
        runtime.write(variant, program, path / f"{name}{runtime.suffix}")
    return None


def open_artifact(path: Path, variant: Variant, decoder: object = None, *, threads: int = 1, rows: int = 0) -> InferenceSession:
    """Open what `write_artifact` wrote.

    Args:
        path: The file or folder.
        variant: The variant that it was written in.
        decoder: The task's decoder, which runs the loop between several programs.
        threads: Threads that one call may use.
        rows: The usual number of rows in a call; 0 where there is none.

    Raises:
        BundleError: It cannot be opened.
    """
    runtime = get_runtime(variant.runtime)
    if not path.is_dir():
        return runtime.open(path, variant, threads=threads, rows=rows)
    assert isinstance(decoder, GeneratingDecoder)
    files = sorted(path.glob(f"*{runtime.suffix}"))
    return Generation({file.stem: runtime.open(file, variant, threads=threads, rows=rows) for file in files}, decoder)


def opens_safely(path: Path, variant: Variant, *, threads: int = 1, rows: int = 0) -> bool:
    """Whether a process that opens an artifact survives."""
    runtime = get_runtime(variant.runtime)
    files = sorted(path.glob(f"*{runtime.suffix}")) if path.is_dir() else [path]
    return all(runtime.opens_safely(file, variant, threads=threads, rows=rows) for file in files)
