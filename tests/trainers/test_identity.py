import json

import pytest

from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from datasets.flags import UserError
from trainers import identity
from trainers.identity import IdentitySettings


def test_the_command_trains_and_verifies_people_never_seen(tmp_path, capsys):
    out = tmp_path / "new" / "identity.keras"
    settings = IdentitySettings(out=str(out), image_size=16, people=20, epochs=6)
    assert identity.main(settings) == 0
    network = ExpressionClassifier.load(out)
    assert len(network.labels) == 20
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["training_images"] == 200
    assert record["held_out"]["people"] == 20
    low, high = record["held_out"]["interval"]
    assert 0.5 < low <= record["held_out"]["auc"] <= high <= 1
    assert "people never seen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": None}, "--out is required"),
        ({"dataset": "fer2013"}, "--dataset must be one of drawn_faces, olivetti"),
        ({"people": 1}, "--people is too small: 1"),
        ({"photographs": 9}, "--photographs must be 10 or more"),
        ({"dataset": "olivetti"}, "the Olivetti faces need --data_path"),
    ],
)
def test_mistakes(changes, message, tmp_path):
    given = {"out": str(tmp_path / "model.keras"), **changes}
    with pytest.raises(UserError, match=message):
        identity.main(IdentitySettings(**given))
