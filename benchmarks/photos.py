"""Searches on folders of photos, from scratch and with pretrained weights, beside a plain script and a fine-tuned backbone.

Without `--folder` it reads the committed record. With it, the folder's missing runs are made first, and added to the record with
`--record`, else to a file that git ignores. Lines of an older search are refused by name.

All systems get the same minutes and threads, one after the other on each seed, in an order that changes with the seed. Accuracy is
that of the exported file on photos that no system saw; latency is that of the network for one photo on one thread, of all files
of a seed in one interleaved run. Reading the photos counts in our minutes only. `scratch` and `pretrained` are one file each, the one that
`best()` gives for the wish: `--max-latency-ms`, or nothing. Medians over the seeds, with quartiles.

The folders are chosen before any result was seen: Sign Language Digits (Apache-2.0, 2,062 photos of 100 x 100); CIFAR-10 as JPEG (60,000
of 32 x 32, its own test split, from scratch, 15 minutes); the Clothing Dataset's ten largest classes (CC0, 3,781 photos of 400 x 533,
alexeygrigorev/clothing-dataset-small); and the Grocery Store Dataset (MIT, Klasson et al., WACV 2019, 5,421 photos of 348 x 348 taken
in shops, marcusklasson/GroceryStoreDataset) with its 43 coarse classes and its own test split of other shops' photos, its
validation photos being training photos.
"""

from __future__ import annotations

from pathlib import Path

from .environments import WORK, last_line
from .photo_rivals.data import Photos
from .photo_rivals.systems import CLOCK, OURS, SYSTEMS, Contest, codes
from .photo_rivals.verdict import OneFolder, verdict
from .record import RECORDS, Record
from .report import Result

SAME = ("folder", "seed", "system", "minutes", "threads", "max_latency_ms")
COMMITTED, OWN = RECORDS / "photos.jsonl", WORK / "photos" / "photos.jsonl"


def run(
    *,
    folder: str = "",
    seeds: int = 5,
    minutes: float = 5.0,
    threads: int = 2,
    systems: str = ",".join(SYSTEMS),
    max_latency_ms: float = 0.0,
    record: bool = False,
    results: str = "",
) -> Result:
    """Compare the systems by the record; `--folder` names a folder or an archive of photos whose runs are completed first."""
    names = systems.split(",")
    path = Path(results) if results else COMMITTED if record or not folder else OWN
    known = Record(path, SAME, codes(SYSTEMS))
    failures = list[str]()
    if folder:
        photos = Photos.read(Path(folder))
        for seed in range(seeds):
            contest = Contest(folder, photos, seed, minutes, threads, max_latency_ms)
            failures += complete(known, contest, names)
    folders = read(known)
    figures, notes = verdict(folders) if folders else ([], ["There is nothing to compare yet: pass --folder."])
    return Result(figures=figures, notes=[*known.refusals(), *failures, *notes])


def complete(record: Record, contest: Contest, systems: list[str]) -> list[str]:
    """Make the missing runs of a seed, then time its files; return what failed."""
    failures = list[str]()
    first = contest.seed % len(systems)

    def key(system: str) -> tuple[object, ...]:
        # A rival's run does not depend on what is wished of ours.
        wish = contest.max_latency_ms if system in {*OURS, CLOCK} else 0.0
        return (contest.photos.name, contest.seed, system, contest.minutes, contest.threads, wish)

    fresh = any(key(system) not in record.lines for system in systems)
    for system in systems[first:] + systems[:first]:
        try:
            line = record.once(key(system), lambda system=system: contest.run(system))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            print(f"{contest.photos.name} {contest.seed} {system}: {line['accuracy']:.2f} %", flush=True)
        except RuntimeError as error:  # the others are recorded all the same
            print(error, flush=True)
            failures.append(f"{contest.photos.name} {contest.seed} {system} failed: {last_line(error)}")
    done = [system for system in systems if key(system) in record.lines]
    if fresh or key(CLOCK) not in record.lines:
        try:
            record.add(key(CLOCK), contest.time(done))
        except RuntimeError as error:
            failures.append(f"{contest.photos.name} {contest.seed} is not timed: {last_line(error)}")
    return failures


def read(record: Record) -> list[OneFolder]:
    """The recorded folders, one for each number of minutes and each wish."""
    lines = record.lines.values()
    wishes = {(line["folder"], line["minutes"], line["max_latency_ms"]) for line in lines if line["system"] in OURS}
    plain = {(line["folder"], line["minutes"], 0.0) for line in lines}
    named = {key[:2] for key in wishes}
    folders = []
    for name, minutes, wish in sorted(wishes | {key for key in plain if key[:2] not in named}):
        found = OneFolder(name, minutes, wish, {}, {})
        for line in lines:
            if (line["folder"], line["minutes"]) != (name, minutes) or line["max_latency_ms"] not in {0.0, wish}:
                continue
            if line["system"] == CLOCK:
                found.clocks[line["seed"]] = line
            elif line["max_latency_ms"] == wish or line["system"] not in OURS:
                found.lines.setdefault(line["system"], {})[line["seed"]] = line
        if found.lines:  # else there are latencies only: those of refused runs
            folders.append(found)
    return folders
