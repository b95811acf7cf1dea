"""What all tests share."""

import os

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no failure.
settings.register_profile("kerasreg", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kerasreg")
# TensorFlow is as quiet in the tests' process as the command line makes it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture
def without_figures(monkeypatch):
    """For pages whose words are the point: drawing is most of a page's time."""
    from markupsafe import Markup

    from kerasreg.report._page import Picture

    def drawn(figure, name, caption, alt, folder):
        return Picture(name, caption, alt, Markup("<svg></svg>"))

    monkeypatch.setattr("kerasreg.report._pictures.drawn", drawn)


@pytest.fixture
def without_png(monkeypatch):
    """For pages, which hold figures as SVG: the PNG files beside them cost a third of the time."""
    monkeypatch.setattr("kerasreg.plots._files.png_bytes", lambda figure: b"")


def pytest_collection_modifyitems(items):
    """The longest file first: one process runs the lessons while the other runs the rest."""
    items.sort(key=lambda item: item.path.name != "test_scripts.py")
