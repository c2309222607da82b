"""Images: folders, zip and tar archives, idx files, arrays, lists of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton_automl.arrays import Array
from lepton_automl.data.reading import as_array, is_pair, is_table_path
from lepton_automl.modality import Augment, Claim, ColumnPreview, Examples, Parts, Preprocess, Progress, Usage
from lepton_automl.plans import TrainPlan
from lepton_automl.source import Items
from lepton_automl.specs import DataSpec

from .options import ImageOptions
from .spec import INPUT, ImageAugmentation, ImageInput, image_input

if TYPE_CHECKING:
    from torch import Tensor, nn

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
AXES = 2  # of a table at most; arrays of images have more


class ImageModality:
    """Examples of one image each."""

    name = "image"
    extra = ""
    Options = ImageOptions
    Input = ImageInput
    Augmentation = ImageAugmentation
    family = "conv"
    baseline = "linear_image"
    pretrained = True
    preprocess_modules = (
        "lepton_automl.modalities.image.preprocess.pixels",
        "lepton_automl.modalities.image.preprocess.requests",
        "lepton_automl.modalities.image.preprocess.files",
        "lepton_automl.modalities.image.preprocess.images",
    )
    preprocess_class = "ImagePreprocess"
    usage = Usage(
        article="An image",
        example="an image",
        plural="images",
        file="photo.jpg",
        python='"photo.jpg"',
        files="an image file, a folder of them",
        request='{"inputs": {"image": ["\'$(base64 -w0 photo.png)\'"]}}',
        takes="PNG and JPEG files in base64, or nested lists of pixels",
        packages=("pillow>=11",),
        packages_for="image files, and arrays of another size",
        install=" pillow  # only for image files; arrays in .npy files do not need it",
    )

    def recognize(self, source: Any) -> Claim | None:
        """Claim folders, archives with other files than tables, lists of images, and arrays with three or more axes."""
        if isinstance(source, str | Path):
            path = Path(source)
            if path.is_dir():
                return Claim(confidence=0.8, reason="it is a folder")
            if not is_table_path(path) and path.name.lower().endswith(ARCHIVES):
                return Claim(confidence=0.8, reason="it is an archive")
            return None
        if isinstance(source, Items):
            from .items import are_images

            return Claim(confidence=0.9, reason="its items are images") if are_images(source.items) else None
        if is_pair(source) and not hasattr(source[0], "columns") and len(as_array(source[0]).shape) > AXES:
            return Claim(confidence=0.9, reason="its rows are arrays with two or more axes")
        return None

    def examples(
        self, source: Any, test: Any, folder: Path, options: Any, progress: Progress | None
    ) -> AbstractContextManager[Examples]:
        """The images of a source with their labels."""
        from lepton_automl.modalities.image.prepare import image_examples

        return image_examples(source, test, folder, options, progress)

    def augment(self, plan: TrainPlan, spec: DataSpec) -> Augment | None:
        """Random crops, flips, operations, blanks and mixtures, as the plan sets them."""
        from .augment import ImageAugment

        assert isinstance(plan.augment, ImageAugmentation)
        return ImageAugment(plan.augment, spec)

    def scaled_inputs(self, spec: DataSpec, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The stored images in the size of the spec's networks."""
        from .resize import resized_inputs

        return resized_inputs(image_input(spec), inputs)

    def scaled_preprocess(self, spec: DataSpec, preprocess: Preprocess) -> Preprocess:
        """The preprocessing for the size of the spec's networks."""
        from .preprocess.images import ImagePreprocess

        assert isinstance(preprocess, ImagePreprocess)
        return ImagePreprocess(image_input(spec).shape, preprocess.output, preprocess.levels, preprocess.stored)

    def scaled_examples(self, spec: DataSpec, examples: list[Any]) -> list[Any]:
        """Images in the size of the spec's networks."""
        from .resize import resized_examples

        return resized_examples(image_input(spec), examples)

    def entry(self, spec: DataSpec) -> nn.Module:
        """Standardised pixels."""
        from .network import Pixels

        own = image_input(spec)
        return Pixels(own.shape[0], own.pixel_mean, own.pixel_std)

    def call(self, examples: Sequence[Any]) -> Any:
        """The images stacked into one batch."""
        return np.stack(examples)

    def describe(self, spec: DataSpec) -> str:
        """Size and colour mode of the images."""
        channels, height, width = image_input(spec).shape
        return f"images of {height} x {width}, {'grey' if channels == 1 else 'RGB'}"

    def row(self, spec: DataSpec) -> str:
        """Size and colour mode of one image."""
        channels, height, width = image_input(spec).shape
        return f"an image of {height} x {width} pixels in {'grey' if channels == 1 else 'colour'}"

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """The shape of one image."""
        return {"shape": str(list(image_input(spec).shape))}

    def schema(self, spec: DataSpec) -> list[tuple[str, str]]:
        """One column of pixels."""
        channels, height, width = image_input(spec).shape
        return [(INPUT, f"uint8 [{height}, {width}, {channels}]")]

    def columns(self, spec: DataSpec) -> tuple[ColumnPreview, ...]:
        """None: images have no columns."""
        del spec
        return ()

    def thumbnail(self, inputs: Mapping[str, Array]) -> str:
        """The image as a PNG in base64."""
        from .thumbnail import picture

        return picture(np.asarray(inputs[INPUT]))

    def original(self, preprocess: Preprocess, inputs: Mapping[str, Array], rows: Sequence[int]) -> list[dict[str, Any]]:
        """Empty mappings: `thumbnail` shows the images."""
        del preprocess, inputs
        return [{} for _ in rows]

    def parts(self, spec: DataSpec, preprocess: Preprocess, inputs: Mapping[str, Array]) -> Parts:
        """The cells of a grid over the image."""
        from .occlude import cell_names, grid_of

        del preprocess
        grid = grid_of(image_input(spec).shape)
        mean = np.rint(inputs[INPUT].mean(0)).astype(np.uint8)
        return Parts(names=cell_names(grid), permuted=False, grid=grid, picture=self.thumbnail({INPUT: mean}))

    def perturbed(
        self,
        spec: DataSpec,
        preprocess: Preprocess,
        inputs: Mapping[str, Array],
        parts: Sequence[int],
        rng: np.random.Generator,
    ) -> dict[str, Array]:
        """The images with some cells and what is next to them covered with the mean pixel of the training images."""
        from .occlude import occluded

        del preprocess, rng
        return {INPUT: occluded(inputs[INPUT], image_input(spec).pixel_mean, parts)}

    def explained_parts(self, preprocess: Preprocess, inputs: Mapping[str, Array]) -> Parts:
        """The cells of a grid over the image."""
        from .occlude import cell_names, grid_of

        del preprocess
        grid = grid_of(inputs[INPUT].shape[1:])
        return Parts(names=cell_names(grid), permuted=False, grid=grid, picture=self.thumbnail({INPUT: inputs[INPUT][0]}))

    def cells(self, preprocess: Preprocess, raw: Any) -> tuple[str, ...]:
        """Empty: there is nothing to read in a region."""
        del preprocess, raw
        return ()

    def cover(self, preprocess: Preprocess, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """The image's own mean colour."""
        del preprocess
        images = inputs[INPUT]
        mean = np.rint(images.mean((2, 3), keepdims=True)).astype(images.dtype)
        return {INPUT: np.broadcast_to(mean, images.shape)}

    def mixtures(
        self,
        preprocess: Preprocess,
        inputs: Mapping[str, Array],
        background: Mapping[str, Array],
        known: Array,
        rows: Array,
    ) -> dict[str, Array]:
        """The image with unknown cells covered."""
        from .occlude import uncovered

        del preprocess
        return {INPUT: uncovered(inputs[INPUT][0], background[INPUT][rows], known)}
