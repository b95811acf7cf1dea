"""Studies, comparisons and lessons as self-contained HTML pages that need no network.

Everything that comes from data (names, errors, commands) passes Jinja2's autoescape, and
a content security policy lets only the page's own script run and nothing load.
"""

from kerasreg.report._answer import answer_rows, beats_baseline, row_interval, test_sentence
from kerasreg.report._comparison_page import render_comparison, render_gallery
from kerasreg.report._data_page import render_data
from kerasreg.report._diagnosis_page import fit_sentence, headline, render_diagnosis
from kerasreg.report._effects import effects_sentence
from kerasreg.report._ensemble import ensemble_sentence
from kerasreg.report._reading import StudyView, read_study
from kerasreg.report._study_page import render_report
