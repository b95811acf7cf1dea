"""The pages of comparisons and their gallery."""

from made_studies import HOSTILE
from pages import assert_self_contained, page_of

from kerasreg import plots
from kerasreg.report import render_comparison, render_gallery


def comparison(**changes):
    figure = plots.new_figure(4, 2)
    figure.subplots().bar(["dropout", "none"], [2.0, 1.0])
    return {
        "title": "Dropout",
        "question": "Does dropout narrow the gap?",
        "prediction": "Yes.",
        "source": "Srivastava et al. 2014",
        "rule": "Supported if the 95 % interval lies above 1 pp.",
        "answer": "The gap is 2.1 pp smaller.",
        "verdict": "supported",
        "claims": [{"id": "C01", "sentence": "It narrows.", "verdict": "partly", "effect": "2 pp"}],
        "table": [{"arm": "dropout", "accuracy": 0.9}, {"arm": "none", "accuracy": 0.8, "n": 12}],
        "figures": [
            {
                "figure": figure,
                "caption": "Effect",
                "alt": "Dropout narrows the gap by 2 points",
            }
        ],
        "notes": ["Equal updates."],
        "repeat": {"command": "python scripts/x.py", "seeds": [0, 1]},
        **changes,
    }


def test_a_comparison_has_a_page(tmp_path):
    page = page_of(render_comparison(comparison(), tmp_path / "lesson"))
    assert_self_contained(page)
    for text in (
        "Does dropout narrow the gap?",
        "C01",
        "supported",
        "partly",
        "0.9",
        "Equal updates.",
    ):
        assert text in page.text
    assert (tmp_path / "lesson" / "figures" / "figure_1.png").exists()
    bare = page_of(render_comparison({"title": "Bare"}, tmp_path / "bare"))
    assert "Not run yet." in bare.text


def test_hostile_text_in_a_comparison_is_text(tmp_path):
    text = " ".join(HOSTILE)
    page = page_of(
        render_comparison(
            comparison(
                title=text,
                question=text,
                answer=text,
                notes=HOSTILE,
                claims=[{"id": text, "sentence": text, "effect": text}],
                table=[{name: name for name in HOSTILE}],
                repeat={name: name for name in HOSTILE},
            ),
            tmp_path,
        )
    )
    assert_self_contained(page)
    assert len(page.all("script")) == 1
    assert text in page.text


def gallery(folder):
    picture = render_comparison(comparison(), folder / "a").parent / "figures" / "figure_1.png"
    lessons = [
        {
            "title": name,
            "question": name,
            "answer": name,
            "claims": [{"id": "C01", "sentence": name, "verdict": "undecided"}],
            "picture": picture,
            "alt": "A figure",
            "link": "a/report.html",
        }
        for name in ("Dropout", *HOSTILE)
    ]
    return render_gallery(lessons, folder / "gallery.html")


def test_the_gallery_shows_every_lesson(tmp_path):
    page = page_of(gallery(tmp_path))
    for name in HOSTILE:
        assert name in page.text
    links = [a["href"] for a in page.all("a") if not a["href"].startswith("#")]
    assert links == ["a/report.html"] * (len(HOSTILE) + 1)
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
