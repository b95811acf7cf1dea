"""A search for balanced accuracy or F1 ends with a threshold, which predictions apply."""

import numpy as np
import pandas as pd
import pytest
from searching import small_search
from sklearn.metrics import balanced_accuracy_score, f1_score

import kerasreg
from kerasreg.terminal import print_summary


def f1_of_yes(y, chosen):
    return f1_score(y, chosen, pos_label="yes")


@pytest.mark.parametrize(
    ("name", "score"), [("balanced_accuracy", balanced_accuracy_score), ("f1", f1_of_yes)]
)
def test_the_threshold_is_in_the_result_its_test_and_the_predictions(tmp_path, capsys, name, score):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    rare = x[:, 0] + rng.normal(size=300) > 1.3
    frame = pd.DataFrame({"t": rng.permutation(300) * 3.7, "a": x[:, 0], "b": x[:, 1]})
    frame["y"] = np.where(rare, "yes", "no")
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = kerasreg.load(tmp_path / "t.csv", target="y", time="t")
    study = small_search(tmp_path / "s", data, folds=3, objective=f"val_{name}", ensemble=True)
    result, rows = study.result, data.rows["test"]
    assert result["ensemble"]["threshold"] < 0.45
    if name == "f1":
        # Of the single model no out-of-fold rows are left to choose by.
        assert "threshold" not in result["best"]
    else:
        share = pytest.approx(np.mean(data.train.y))
        assert result["best"]["threshold"] == result["ensemble"]["threshold"] == share
    assert 0 < result["ensemble"]["out_of_fold"]["data_loss"] < 1
    print_summary(study.folder)
    assert "Decides for yes from a probability of" in capsys.readouterr().out
    for side in ("best", "ensemble"):
        table = kerasreg.predict(study.folder / f"{side}.keras", frame.iloc[rows])
        found = score(frame["y"].iloc[rows], table["label"])
        assert result[side]["test"][name] == pytest.approx(found)
