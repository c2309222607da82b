"""Whether hard limits can be met at all."""

from __future__ import annotations

from collections.abc import Iterable

from lepton_automl.errors import LimitError
from lepton_automl.jobs import HostBenchmark
from lepton_automl.profile import Profile
from lepton_automl.specs import Deployment


def check_limits(deployment: Deployment, benchmark: HostBenchmark, profiles: Iterable[Profile] = ()) -> None:
    """Check that some known network meets the hard limits.

    Args:
        deployment: The limits.
        benchmark: Includes the smallest network of the space, measured before the search.
        profiles: Those of the networks that the search has measured since.

    Raises:
        LimitError: None does; the message gives the latency and size of the fastest one.
    """
    known = [benchmark.fastest, *profiles]
    if not all(map(deployment.exceeded_limit, known)):
        return
    fastest = min(known, key=lambda profile: profile.latency_ms)
    fix = (
        f"The fastest network here takes {fastest.latency_ms:.3g} ms ({fastest.size_bytes} bytes) a call of "
        f"{deployment.batch_size} on {benchmark.host}. Raise the limit, or choose another device."
    )
    raise LimitError(
        f"no network can meet the limits: {deployment.exceeded_limit(fastest)}, even for the smallest",
        where="deployment",
        fix=fix,
    )
