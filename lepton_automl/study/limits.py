"""Whether hard limits can be kept at all."""

from __future__ import annotations

from collections.abc import Iterable

from lepton_automl.errors import LimitError
from lepton_automl.jobs import HostBenchmark
from lepton_automl.profile import Profile
from lepton_automl.specs import Deployment


def check_limits(deployment: Deployment, weighed: HostBenchmark, tried: Iterable[Profile] = ()) -> None:
    """See that some network keeps the hard limits.

    Args:
        deployment: Has the limits.
        weighed: Has the smallest network of the space, which was timed before the search.
        tried: What a search has come by since.

    Raises:
        LimitError: None does; the message says what the fastest one takes.
    """
    known = [weighed.fastest, *tried]
    if not all(map(deployment.broken_limit, known)):
        return
    fastest = min(known, key=lambda profile: profile.latency_ms)
    fix = (
        f"The fastest network here takes {fastest.latency_ms:.3g} ms ({fastest.size_bytes} bytes) a call of "
        f"{deployment.batch_size} on {weighed.host}. Raise the limit, or choose another device."
    )
    raise LimitError(
        f"no network can meet the limits: {deployment.broken_limit(fastest)}, even for the smallest",
        where="deployment",
        fix=fix,
    )
