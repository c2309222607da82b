"""Draw a widget as a PNG for saved notebooks: front ends strip styles and SVG from saved HTML, but keep images.

Pillow draws it in about ten milliseconds; importing matplotlib alone would take most of a second. Only the font of
matplotlib, which MLflow installs, is used: Pillow's own has no accents.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from lepton_automl.reporting.labels import MORE, clean

INK, DIM, LINE, SOFT, PAPER = "#1d1d1f", "#5f6368", "#d5d7db", "#e8ecf0", "#ffffff"
SCALE = 2  # image pixels per page pixel: sharp on high-density screens
SMOOTH = 4  # supersampling factor of marks, for smooth edges
EDGE = 12.0  # pixels of margin on each side
TALLEST = 4000  # pixels of page height; the rest is cut off
COLOURS = 256  # in the palette of the file
# Fonts for scripts that DejaVu lacks; the first installed one with all characters is used.
FALLBACKS = ("NotoSansCJK-Regular.ttc", "msyh.ttc", "msgothic.ttc", "malgun.ttf", "Hiragino Sans GB.ttc", "Arial Unicode.ttf")
MISSING = "\uffff"  # a noncharacter: each font draws its missing-glyph box for it
Font = Any  # a Pillow font: scalable, or a bitmap if Pillow was built without FreeType


class Drawing:
    """A page that grows downwards. Lengths are page pixels; invisible characters are removed from texts.

    Args:
        width: The page width.

    Attributes:
        y: The position of the next part.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.left, self.right = EDGE, width - EDGE
        self.y = EDGE
        self._image = Image.new("RGB", (width * SCALE, TALLEST * SCALE), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def png(self) -> bytes:
        """The page as a PNG file."""
        tall = min(TALLEST, round(self.y + EDGE))
        cut = self._image.crop((0, 0, self.width * SCALE, tall * SCALE))
        few = cut.quantize(
            COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )  # the other methods take four times as long
        palette, paper = few.getpalette() or [], few.getpixel((0, 0))
        assert isinstance(paper, int)
        palette[3 * paper : 3 * paper + 3] = [255, 255, 255]  # quantization made it slightly off-white
        few.putpalette(palette)
        buffer = io.BytesIO()
        few.save(buffer, "PNG")
        return buffer.getvalue()

    # Drawing at a position

    def text(
        self, x: float, y: float, text: object, *, size: float = 12, bold: bool = False, colour: str = INK, anchor: str = "ls"
    ) -> float:
        """Draw a line of text and return its width.

        Args:
            x: The horizontal position.
            y: The vertical position, of the baseline unless the anchor says otherwise.
            text: The text.
            size: The font size.
            bold: Whether the font is bold.
            colour: The text colour.
            anchor: As in Pillow: `"ls"` starts at the position, `"ms"` is centred, `"rs"` ends there.
        """
        shown = clean(text, 400)
        self._draw.text((x * SCALE, y * SCALE), shown, fill=colour, font=_font(shown, size, bold=bold), anchor=anchor)
        return text_width(shown, size, bold=bold)

    def line(self, *points: tuple[float, float], colour: str = LINE, width: float = 1) -> None:
        """Draw a line through points."""
        self._draw.line([(x * SCALE, y * SCALE) for x, y in points], fill=colour, width=round(width * SCALE))

    def box(
        self, x: float, y: float, right: float, bottom: float, *, fill: str = "", edge: str = "", round_by: float = 0
    ) -> None:
        """Draw a rectangle."""
        ends = (x * SCALE, y * SCALE, right * SCALE - 1, bottom * SCALE - 1)
        self._draw.rounded_rectangle(ends, round_by * SCALE, fill=fill or None, outline=edge or None, width=SCALE)

    def mark(self, x: float, y: float, kind: str, *, size: float, colour: str, opacity: float = 1.0) -> None:
        """Draw a mark centred on a point.

        Args:
            x: The horizontal position.
            y: The vertical position.
            kind: `"disc"`, `"cross"`, `"tick"`, `"triangle"` or `"play"`.
            size: Half its width.
            colour: Its colour.
            opacity: From 0 to 1.
        """
        stamp = _stamp(kind, size, opacity)
        at = (round(x * SCALE - stamp.width / 2), round(y * SCALE - stamp.height / 2))
        self._image.paste(colour, at, stamp)

    def picture(self, png: str, x: float, y: float, side: float) -> None:
        """Draw an image of a dataset, a base64 PNG, scaled into a square; an invalid image is skipped."""
        try:
            shown = Image.open(io.BytesIO(base64.b64decode(png, validate=True)), formats=["PNG"]).convert("RGB")
        except (binascii.Error, OSError, ValueError, Image.DecompressionBombError):
            return
        whole = round(side * SCALE)
        ratio = whole / max(shown.size)
        to = (max(1, round(shown.width * ratio)), max(1, round(shown.height * ratio)))
        sharp = Image.Resampling.NEAREST if ratio > 1 else Image.Resampling.LANCZOS
        self._image.paste(shown.resize(to, sharp), (round(x * SCALE), round(y * SCALE)))

    # Appending below

    def head(self, text: str) -> None:
        """Append a heading."""
        self.y += 28
        self.text(self.left, self.y, text, bold=True)
        self.y += 2

    def paragraph(self, text: str, *, size: float = 12, colour: str = INK, mark: str = "") -> None:
        """Append a text, wrapped to the page width."""
        room = self.right - self.left - 14 * bool(mark)
        for number, line in enumerate(_wrapped(text, room, size)):
            self.y += size * 1.45
            if mark and not number:
                self.text(self.left, self.y, mark, size=size, colour=colour)
            self.text(self.right - room, self.y, line, size=size, colour=colour)

    def code(self, lines: Sequence[str]) -> None:
        """Append framed lines of Python code."""
        parts = [part for line in lines for part in _wrapped(line, self.right - self.left - 20, 12)]
        self.y += 8
        self.box(self.left, self.y, self.right, self.y + 17 * len(parts) + 10, fill=SOFT, edge=LINE, round_by=3)
        for number, line in enumerate(parts, 1):
            self.text(self.left + 10, self.y + 17 * number + 1, line)
        self.y += 17 * len(parts) + 10

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> None:
        """Append a table.

        Args:
            head: The column names.
            rows: The cells.
            right: Indices of right-aligned columns.
        """
        cells, ends = [[clean(cell, 120) for cell in row] for row in rows], set(right)
        columns = list(zip(*[head, *cells], strict=True))
        room = [max(text_width(cell, 12, bold=not at) for at, cell in enumerate(column)) for column in columns]
        self.y += 20
        for number, row in enumerate([list(head), *cells]):
            x = self.left
            if number % 2 == 0 and number:
                self.box(self.left, self.y - 14, self.right, self.y + 5, fill=SOFT)
            for at, cell in enumerate(row):
                last = self.right - x if at == len(row) - 1 else room[at]
                shown = _shortened(cell, last, 12, bold=not number)
                at_x = x + room[at] if at in ends else x
                self.text(at_x, self.y, shown, bold=not number, anchor="rs" if at in ends else "ls")
                x += room[at] + 18
            if not number:
                self.line((self.left, self.y + 5), (self.right, self.y + 5))
            self.y += 19
        self.y -= 12

    def flow(self, pieces: Iterable[Sequence[tuple[str, dict[str, Any]]]], *, gap: float = 22, down: float = 20) -> None:
        """Append pieces side by side, in as many lines as needed.

        Args:
            pieces: Each is a sequence of texts with their styles (see `text`); a `mark` in a style is drawn before its text.
            gap: The space between pieces.
            down: The line height.
        """
        x, self.y = self.left, self.y + down
        for piece in pieces:
            length = sum(_length(text, style) for text, style in piece)
            if x > self.left and x + length > self.right:
                x, self.y = self.left, self.y + down
            for text, style in piece:
                self._draw_piece(x, text, dict(style))
                x += _length(text, style)
            x += gap

    def _draw_piece(self, x: float, text: str, style: dict[str, Any]) -> None:
        mark, frame = style.pop("mark", None), style.pop("frame", "")
        if mark:
            kind, colour = mark
            self.mark(x + 5, self.y - 4, kind, size=4.5, colour=colour)
            x += 14
        if frame:
            self.box(x, self.y - 14, x + _length(text, {"frame": frame, **style}) - 6, self.y + 5, edge=frame, round_by=9)
            x += 9
        self.text(x, self.y, _shortened(text, self.right - x, style.get("size", 12), bold=style.get("bold", False)), **style)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a line of text."""
    return float(_font(text, size, bold=bold).getlength(text)) / SCALE


def _length(text: str, style: dict[str, Any]) -> float:
    """The width of one text of a piece, with the gap after it."""
    around = 14 * ("mark" in style) + 18 * ("frame" in style)
    return around + text_width(clean(text, 400), style.get("size", 12), bold=style.get("bold", False)) + 6


def _wrapped(text: str, room: float, size: float) -> list[str]:
    """A text wrapped between words to a width."""
    lines: list[str] = []
    for word in clean(text, 2000).split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_shortened(line, room, size) for line in lines]


def _shortened(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """A line, shortened to a width."""
    shown = clean(text, 400)
    if text_width(shown, size, bold=bold) <= room:
        return shown
    while shown and text_width(shown + MORE, size, bold=bold) > room:
        shown = shown[:-1]
    return shown.rstrip() + MORE


@lru_cache(64)
def _stamp(kind: str, size: float, opacity: float) -> Image.Image:
    """A mark with smooth edges, as a mask."""
    half = size * SCALE * SMOOTH
    middle = half + 2 * SMOOTH
    mask = Image.new("L", (round(2 * middle), round(2 * middle)))
    draw, full = ImageDraw.Draw(mask), round(255 * opacity)
    low, high, thick = middle - half, middle + half, max(1, round(half / 2.5))
    match kind:
        case "cross":
            draw.line((low, low, high, high), fill=full, width=thick)
            draw.line((low, high, high, low), fill=full, width=thick)
        case "tick":
            draw.line((middle, low, middle, high), fill=full, width=thick)
        case "triangle":
            draw.polygon(((low, high), (high, high), (middle, low)), fill=full)
        case "play":
            draw.polygon(((low, low), (low, high), (high, middle)), fill=full)
        case _:
            draw.ellipse((low, low, high, high), fill=full)
    return mask.resize((max(1, mask.width // SMOOTH), max(1, mask.height // SMOOTH)), Image.Resampling.LANCZOS)


def _font(text: str, size: float, *, bold: bool) -> Font:
    """A font with all characters of a text, if one is installed."""
    usual = _default_font(size, bold=bold)
    if text.isascii():
        return usual
    special = {letter for letter in text if not letter.isascii() and not letter.isspace()}
    if all(_has("", size, letter) for letter in special):
        return usual
    for name in FALLBACKS:
        font = _installed(name, size)
        if font and all(_has(name, size, letter) for letter in special):
            return font
    return usual


@lru_cache(64)
def _default_font(size: float, *, bold: bool = False) -> Font:
    """DejaVu Sans from matplotlib or the system; else the default font of Pillow."""
    name, package = f"DejaVuSans{'-Bold' * bold}.ttf", find_spec("matplotlib")
    folder = Path(package.origin).parent / "mpl-data/fonts/ttf" if package and package.origin else Path()
    return _load_font(str(folder / name), size) or _installed(name, size) or ImageFont.load_default(size * SCALE)


@lru_cache(64)
def _installed(name: str, size: float) -> Font | None:
    return _load_font(name, size)


def _load_font(name: str, size: float) -> Font | None:
    try:
        return ImageFont.truetype(name, size * SCALE)
    except (OSError, ImportError):
        return None


@lru_cache(4096)
def _has(name: str, size: float, letter: str) -> bool:
    """Whether a font has a character."""
    font = _installed(name, size) if name else _default_font(size)
    return font is not None and bytes(font.getmask(letter)) != bytes(font.getmask(MISSING))
