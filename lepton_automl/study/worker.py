"""A worker process for one request about a study's models."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .client import StudyClient
from .startup import LONGEST

if TYPE_CHECKING:
    from lepton_automl.request import Request, Response


def ask_worker(study: StudyClient, request: Request, on_status: Callable[[str], None] = lambda _: None) -> Response:
    """The response of a worker process that is started for one request.

    Args:
        study: The study.
        request: What to do.
        on_status: Called with what is being done, if the request reports it.
    """
    from lepton_automl.execution.executor import start_executor

    settings = study.state.settings
    executor = start_executor(
        settings.executor,
        1,
        study.folder / "workers",
        threads=settings.deployment.threads,
        name=study.name,
        settings=settings.executor_settings,
    )
    try:
        return executor.run(request, on_status=on_status, limit=LONGEST)
    finally:
        executor.close()
