"""What a bundle needs to run: its packages, and a Dockerfile."""

from __future__ import annotations

from collections.abc import Sequence

from lepton_automl.modality import Usage

NUMPY = "numpy>=2.0"  # the same bound as this package's


def requirements(usage: Usage, packages: Sequence[str]) -> str:
    """The requirements of predict.py; optional packages are comments.

    Args:
        usage: How models of the modality are used.
        packages: What the model's runtime needs, with bounds.
    """
    optional = [f"# {package}  # for {usage.packages_for}" for package in usage.packages]
    return "\n".join([NUMPY, *packages, *optional, "# cryptography>=42  # for --public-key"]) + "\n"


def containerfile(usage: Usage) -> str:
    """A Dockerfile that runs predict.py as an unprivileged user.

    `-P` keeps Python from importing files beside predict.py that have a package's name.
    """
    packages = "".join(f' "{package}"' for package in usage.packages)
    return f"""\
# docker build -t model . && docker run --rm --network none -v "$PWD:/data:ro" model /data/{usage.file}
FROM python:3.12-slim
WORKDIR /model
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt{packages} && useradd --uid 10001 --no-create-home model
COPY . .
USER 10001
ENV PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["python", "-P", "predict.py"]
"""
