"""What a process that forks lessons holds: TensorFlow imported, and nothing begun with it."""

from importlib import import_module

from kerasreg.command import quiet_import

MODULES = (
    *("keras", "scipy.stats", "sklearn.datasets", "sklearn.model_selection", "tensorboard.util"),
    *("matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "PIL.GifImagePlugin"),
    *("kerasreg.layers", "kerasreg.lesson._output", "kerasreg.lesson.watched"),
    *("kerasreg.monitors", "kerasreg.population", "kerasreg.report"),
)

with quiet_import():
    for name in MODULES:
        import_module(name)
