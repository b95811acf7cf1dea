"""A figure's forms: PNG and SVG files, and SVG that follows a page's theme."""

import io
import re
from pathlib import Path

from matplotlib.figure import Figure

from kerasreg.files import atomic_write
from kerasreg.plots._style import BAND, GRID, INK, MUTED, PAPER, SERIES, styled

# What a page's style sheet names these colours, so that one drawing serves light and dark.
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    BAND: "--band",
    **{colour: f"--series-{index}" for index, colour in enumerate(SERIES, start=1)},
}


@styled
def save(figure: Figure, stem: Path) -> str:
    """Write `figure` to `stem`.png (150 dots an inch) and `stem`.svg.

    Returns:
        The SVG document with its links, for `themed_svg`; the file has none, since what they lead
        to is a page's table.
    """
    # Laid out once instead of before every drawing, which costs most of the time.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    atomic_write(stem.with_name(stem.name + ".png"), png_bytes(figure))
    atomic_write(stem.with_name(stem.name + ".svg"), re.sub(r"</?a\b[^>]*>", "", svg).encode())
    return svg


@styled
def png_bytes(figure: Figure, dpi: int = 150) -> bytes:
    """Return `figure` as a PNG file's bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def themed_svg(svg: str, name: str) -> str:
    """Return an SVG document that `save` returned as an `<svg>` element to stand in a page.

    Its colours are the page's CSS variables (`--ink`, `--series-1`, …), its ids begin with `name`
    so that two figures never share one, and its links cannot be reached by the tabulator key (a
    figure can hold hundreds; the page offers the same targets in its table).
    """
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'(<use [^>]*?xlink:href=")#', rf"\1#{name}-", text)
    text = text.replace(' target="_blank"', "")  # the target is in the same page
    text = text.replace("<a xlink:href=", '<a tabindex="-1" xlink:href=')
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = re.sub(r"(font: [^;\"]*?[\d.]+px) [^;\"]*", r"\1 var(--sans)", text)
    return re.sub(
        r'<svg [^>]*(viewBox="[^"]*")[^>]*>',
        r'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        r'\1 aria-hidden="true" focusable="false">',
        text,
        count=1,
    )
