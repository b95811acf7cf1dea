"""What all pages share: the template environment, figures in a page, the security policy."""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kerasreg import __version__
from kerasreg.files import atomic_write
from kerasreg.plots import Figure, save, themed_svg


@dataclass(frozen=True)
class Picture:
    """A figure in a page.

    Attributes:
        name: Letters, digits and underscores; the file's stem and the prefix of its ids.
        caption: Shown below it.
        alt: What it shows, for those who do not see it.
        body: An `<svg>` or `<img>` element.
    """

    name: str
    caption: str
    alt: str
    body: Markup


def drawn(figure: Figure, name: str, caption: str, alt: str, folder: Path) -> Picture:
    """Write `figure` to `folder` as PNG and SVG and make it part of a page."""
    svg = save(figure, folder / name)
    return Picture(name, caption, alt, Markup(themed_svg(svg, name)))


def from_png(path: Path, name: str, alt: str) -> Picture:
    """Make an image file part of a page, as a data URI: it can run nothing and fetch nothing."""
    content = base64.b64encode(path.read_bytes()).decode()
    image = '<img src="data:image/png;base64,{}" alt="" loading="lazy">'
    return Picture(name, "", alt, Markup(image).format(content))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("kerasreg"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # These two are ours; their policy hash would not match an escaped copy.
    for name in ("style.css", "page.js"):
        source = environment.loader.get_source(environment, name)[0]
        environment.globals[name.replace(".", "_")] = Markup(source)
        if name == "page.js":
            digest = hashlib.sha256(source.encode()).digest()
            environment.globals["script_hash"] = "sha256-" + base64.b64encode(digest).decode()
    environment.globals["version"] = __version__
    return environment


def write_page(template: str, path: Path, values: dict[str, Any]) -> Path:
    """Render a template of kerasreg with autoescape on and replace `path` by it, atomically."""
    text = _environment().get_template(template).render(values)
    # A lone surrogate (half of an emoji in a damaged file) has no UTF-8.
    atomic_write(path, text.encode("utf-8", errors="replace"))
    return path
