import pytest

from trainers.paper_tables import (
    DIMENSIONS,
    TABLE_4,
    bits_per_dim,
    contradictions,
    figures,
    log_likelihood,
)


def test_equation_4_1():
    # A uniform density on [-1, 1] has log-likelihood -ln 2 per number, and 8 bits.
    assert log_likelihood(8.0, 3) == pytest.approx(-3 * 0.6931471805599453)
    assert bits_per_dim(log_likelihood(3.26, 3072), 3072) == pytest.approx(3.26)
    assert bits_per_dim(TABLE_4["glow"][0], DIMENSIONS["mnist"]) == pytest.approx(1.083, abs=5e-4)
    assert bits_per_dim(TABLE_4["dlf"][1], DIMENSIONS["cifar10"]) == pytest.approx(5.072, abs=5e-4)


def test_contradictions_are_found():
    found = {(*c.tables, c.method, c.dataset): c.why for c in contradictions()}
    assert found["3", "5", "glow", "mnist"] == "1.18 bits/dim in table 3, 1.24 in table 5"
    assert found["3", "5", "glow", "cifar10"] == "3.53 bits/dim in table 3, 3.35 in table 5"
    assert "3.33 bits/dim in table 3, 3.26" in found["3", "5", "bplf_3x3_svd", "cifar10"]
    assert "2.15 with truncation, 2.14" in found["3", "bplf_3x3_1x1_svd", "emotionset"]
    assert "are 1.083 bits/dim" in found["4", "5", "glow", "mnist"]
    # Table 4 and table 5 fit nowhere: five models, two data sets.
    assert sum(key[:2] == ("4", "5") for key in found) == 10
    assert len(found) == 14


def test_figures_of_a_data_set():
    assert figures("3", "emotionset")["bplf_3x3"] == 2.16
    assert figures("4", "cifar10")["Flow++"] == 4492.3
    assert figures("5", "emotionset") == figures("g0", "mnist") == figures("3", "fer2013") == {}
