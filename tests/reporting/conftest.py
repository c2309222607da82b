"""What the tests of figures and reports share."""

from .hostile_study import examined, state  # noqa: F401  # fixtures
