"""What runs on the target: one file of a runtime, or a folder with a file for each program of a network that has several."""

from __future__ import annotations

from pathlib import Path

from lepton_automl.generation import GeneratingDecoder, Generation
from lepton_automl.variant import Variant

from .open_artifact import InferenceSession
from .runtime import Runtime, Source, get_runtime


def float_variants(runtime: Runtime, source: Source) -> tuple[list[Variant], list[Variant]]:
    """The variants of a runtime that are worth trying, and those that are left out: several programs are not quantized."""
    if not source.programs:
        return runtime.variants(source), []
    variants = runtime.variants(next(iter(source.programs.values())))
    return [one for one in variants if not one.quantizer], [one for one in variants if one.quantizer]


def write_artifact(variant: Variant, source: Source, path: Path) -> None:
    """Write a network in a variant: a file, or a folder.

    Raises:
        BundleError: It cannot be made.
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
        variant: As it was written.
        decoder: The task's, which runs the loop between several programs.
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
