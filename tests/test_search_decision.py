"""A search for balanced accuracy ends with a threshold, which predictions apply."""

import numpy as np
import pandas as pd
import pytest
from searching import small_search
from sklearn.metrics import balanced_accuracy_score

import kerasreg
from kerasreg.terminal import print_summary


def test_the_threshold_is_in_the_result_its_test_and_the_predictions(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    rare = x[:, 0] + rng.normal(size=300) > 1.3
    frame = pd.DataFrame({"t": rng.permutation(300) * 3.7, "a": x[:, 0], "b": x[:, 1]})
    frame["y"] = np.where(rare, "yes", "no")
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = kerasreg.load(tmp_path / "t.csv", target="y", time="t")
    study = small_search(
        tmp_path / "s", data, folds=3, objective="val_balanced_accuracy", ensemble=True
    )
    result, rows = study.result, data.rows["test"]
    assert result["best"]["threshold"] == pytest.approx(np.mean(data.train.y))
    assert result["ensemble"]["threshold"] < 0.45
    assert 0 < result["ensemble"]["out_of_fold"]["data_loss"] < 1
    print_summary(study.folder)
    assert "Decides for yes from a probability of" in capsys.readouterr().out
    for side in ("best", "ensemble"):
        table = kerasreg.predict(study.folder / f"{side}.keras", frame.iloc[rows])
        found = balanced_accuracy_score(frame["y"].iloc[rows], table["label"])
        assert result[side]["test"]["balanced_accuracy"] == pytest.approx(found)
