import numpy as np
import pytest

from bplf_tf import EMOTIONS
from datasets.emotionset.soft_labels import soft_label

VOTES = {
    "neutral": 1, "happiness": 4, "surprise": 0, "sadness": 0, "anger": 0,
    "disgust": 0, "fear": 1, "contempt": 2, "unknown": 1, "NF": 1,
}  # fmt: skip


def test_votes_for_emotions_sum_to_one():
    soft = soft_label("sad", VOTES, EMOTIONS)
    assert soft.dtype == np.float32
    expected = {"happy": 4 / 6, "neutral": 1 / 6, "fear": 1 / 6}
    for name, share in zip(EMOTIONS, soft, strict=True):
        assert share == pytest.approx(expected.get(name, 0))


def test_contempt_counts_where_it_is_a_label():
    soft = soft_label("sad", VOTES, (*EMOTIONS, "contempt"))
    assert soft[-1] == pytest.approx(2 / 8)
    assert soft.sum() == pytest.approx(1)


@pytest.mark.parametrize("votes", [None, {}, {"unknown": 6, "NF": 4}, {"contempt": 10}])
def test_without_a_vote_all_is_on_the_label(votes):
    soft = soft_label("fear", votes, EMOTIONS)
    assert soft.tolist() == [float(name == "fear") for name in EMOTIONS]
