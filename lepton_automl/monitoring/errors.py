"""Errors of watching and logging live models."""

from __future__ import annotations

from lepton_automl.errors import LeptonError


class MonitoringError(LeptonError, RuntimeError):
    """A live model cannot be watched, or its log cannot be read or written."""


class FeedbackError(LeptonError, ValueError):
    """Feedback is refused; the message says why."""
