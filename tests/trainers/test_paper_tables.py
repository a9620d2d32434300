import pytest

from trainers.paper_tables import (
    DIMENSIONS,
    TABLE_4,
    bits_per_dim,
    contradictions,
    figures,
    log_likelihood,
    order,
    remarks,
)


def test_equation_4_1():
    # A uniform density on [-1, 1] has log-likelihood -ln 2 per number, and 8 bits.
    assert log_likelihood(8.0, 3) == pytest.approx(-3 * 0.6931471805599453)
    assert bits_per_dim(log_likelihood(3.26, 3072), 3072) == pytest.approx(3.26)
    assert bits_per_dim(TABLE_4["glow"][0], DIMENSIONS["mnist"]) == pytest.approx(1.083, abs=5e-4)
    assert bits_per_dim(TABLE_4["dlf"][1], DIMENSIONS["cifar10"]) == pytest.approx(5.072, abs=5e-4)


def test_contradictions_are_found():
    every = contradictions()
    found = {(*c.tables, c.method, c.dataset): c.why for c in reversed(every)}
    assert found["3", "5", "glow", "mnist"] == "1.18 bits/dim in table 3, 1.24 in table 5"
    assert found["3", "5", "glow", "cifar10"] == "3.53 bits/dim in table 3, 3.35 in table 5"
    assert "3.33 bits/dim in table 3, 3.26" in found["3", "5", "bplf_3x3_svd", "cifar10"]
    assert "2.15 with truncation, 2.14" in found["3", "bplf_3x3_1x1_svd", "emotionset"]
    assert "are 1.083 bits/dim" in found["4", "5", "glow", "mnist"]
    # Table 4 and table 5 fit nowhere: five models, two data sets.
    assert sum(key[:2] == ("4", "5") for key in found) == 10


def whys(tables, method, dataset):
    return [
        c.why
        for c in contradictions()
        if (c.tables, c.method, c.dataset) == (tables, method, dataset)
    ]


def test_the_bigger_network_is_the_better_one_with_truncation_alone():
    for dataset, small, big in (("cifar10", "3.40", "3.42"), ("emotionset", "2.14", "2.16")):
        (why,) = whys(("3",), "bplf_3x3_1x1", dataset)
        assert why.startswith(f"{small}, {big} with 3x3 convolutions alone")
    assert not whys(("3",), "bplf_3x3_1x1", "mnist")


def test_glow_and_bplf_change_places_between_tables():
    for dataset in ("mnist", "cifar10"):
        assert whys(("4", "5"), "bplf_3x3_svd", dataset)[-1] == (
            "beside Glow, it is the worse one by table 4's log-likelihoods, the better one by "
            "table 5"
        )
    assert "by table 3" in whys(("3", "4"), "bplf_3x3_svd", "emotionset")[0]


def test_no_image_has_the_size_that_emotionset_needs():
    why = whys(("3", "4"), "bplf_3x3_svd", "emotionset")[1]
    assert "table 3's 2.12 bits/dim and table 4's 4498.3 nats" in why
    assert "images of 1330 numbers" in why
    assert bits_per_dim(TABLE_4["bplf_3x3_svd"][2], 1330) == pytest.approx(2.12, abs=5e-3)


def test_figures_of_other_models_are_compared_with_their_papers():
    assert whys(("5",), "glow", "cifar10") == [
        "3.35 is what the model's own paper has, of another training than the 3.53 of table 3"
    ]
    assert whys(("5",), "Flow++", "cifar10") == ["3.26; the model's own paper has 3.08"]
    for method in ("dlf", "f-VAEs"):
        (why,) = whys(("5",), method, "cifar10")
        assert "not known from the model's own paper" in why


def test_numbers_of_epochs_are_remarked_upon():
    for table in "345":
        (remark,) = remarks(table)
        assert "2000 epochs" in remark
        assert "1000" in remark
    assert remarks("g0") == []


def test_figures_of_a_data_set():
    assert figures("3", "emotionset")["bplf_3x3"] == 2.16
    assert figures("4", "cifar10")["Flow++"] == 4492.3
    assert figures("5", "emotionset") == figures("g0", "mnist") == figures("3", "fer2013") == {}


def test_order_of_table_3():
    mnist = order("mnist")
    assert mnist[0] == ("glow_svd", "glow")
    assert ("bplf_3x3", "bplf_3x3_1x1") in mnist
    assert ("bplf_3x3_1x1", "bplf_3x3") in order("cifar10")
    # Equal figures have none: bplf_3x3 and bplf_3x3_1x1_svd.
    assert len(mnist) == 15 - 1
    agreed = {*mnist} & {*order("cifar10")} & {*order("emotionset")}
    assert {*order("fer2013")} == agreed
