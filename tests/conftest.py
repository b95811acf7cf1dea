"""TensorFlow is as quiet in the tests' process as the command line makes it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
