import pytest

from bplf_tf.catalogue import cost
from trainers import ablation_plan
from trainers.ablation_plan import TABLES, Budget, budget_flags, config_of, fitted, methods
from trainers.ablation_questions import contrasts

SHAPE = (16, 16, 3)
CLASSES = ("a", "b")


def names(table, *ranks):
    return [name for name, _ in methods(table, ranks or ("full", "half"))]


def test_tables_hold_what_they_are_named_after():
    assert names("3") == [
        "glow", "glow_svd", "bplf_3x3", "bplf_3x3_1x1", "bplf_3x3_svd", "bplf_3x3_1x1_svd",
    ]  # fmt: skip
    grid = names("g0", "full", "half", "3")
    assert len(set(grid)) == len(grid) == 4 * 2 * 2 * 3
    assert grid[0] == "3x3_1x1_3x3-coupling-actnorm-full"
    for name in TABLES:
        for _, own in methods(name):
            config = config_of(own, SHAPE, CLASSES)
            assert not config.pixel_logit
            assert not config.heavy_tails
    config = config_of(methods("g0", ("3",), extras=True)[-1][1], SHAPE, CLASSES)
    assert (config.g0, config.actnorm, config.network) == (True, False, "inception_b")
    assert (config.svd_protocol, config.svd_rank, config.heavy_tails) == ("paper", 3, True)


def test_questions_share_their_runs_with_table_3():
    questions, table_3 = dict(methods("questions")), dict(methods("3"))
    assert len(questions) == 7
    shared = questions.keys() & table_3.keys()
    assert len(shared) == 4
    assert all(questions[name] == table_3[name] for name in shared)


def test_without_g0_an_actnorm_stands_in_for_it():
    questions = {n: config_of(own, SHAPE, CLASSES) for n, own in methods("questions")}
    for network in ("bplf_3x3", "bplf_3x3_1x1"):
        bplf, without = questions[network], questions[f"{network}_no_g0_actnorm"]
        assert (bplf.g0, bplf.actnorm, without.g0, without.actnorm) == (True, False, False, True)
        assert bplf.network == without.network
    bare = questions["bplf_3x3_no_g0"]
    assert (bare.g0, bare.actnorm, bare.network) == (False, False, "3x3_3x3_3x3")


def test_inception_networks_stand_beside_both_others():
    assert names("inception") == [
        "bplf_3x3", "bplf_3x3_1x1", "bplf_inception_a", "bplf_inception_b",
    ]  # fmt: skip
    pairs = {(c.method, c.less) for c in contrasts(names("inception"))}
    for network in ("bplf_inception_a", "bplf_inception_b"):
        assert {(network, "bplf_3x3"), (network, "bplf_3x3_1x1")} <= pairs


def test_ways_to_truncate():
    ways, table_3 = dict(methods("svd")), dict(methods("3"))
    assert [*ways][:2] == ["bplf_3x3", "bplf_3x3_svd"]
    assert all(ways[name] == table_3[name] for name in [*ways][:2])  # runs are shared
    assert len(contrasts([*ways])) == 4
    configs = [config_of(own, SHAPE, CLASSES) for own in ways.values()]
    protocols = [config.svd_protocol for config in configs]
    assert protocols == [None, "paper", "anneal", "bijector", "pca"]
    # However long the run is, the rank is full after half of it.
    assert "--svd_anneal_share=0.5" in ways["bplf_3x3_anneal"]


def test_differences_that_answer_a_question_differ_in_one_thing():
    for table in TABLES:
        pairs = {(c.method, c.less) for c in contrasts(names(table))}
        assert pairs, table
        assert all({*pair} <= {*names(table)} for pair in pairs)
    assert {(c.method, c.less) for c in contrasts(names("questions"))} == {
        ("bplf_3x3_1x1", "glow"),
        ("bplf_3x3", "glow"),
        ("bplf_3x3_svd", "glow"),
        ("bplf_3x3_1x1", "bplf_3x3_1x1_no_g0_actnorm"),
        ("bplf_3x3", "bplf_3x3_no_g0_actnorm"),
        ("bplf_3x3_no_g0_actnorm", "bplf_3x3_no_g0"),
        ("bplf_3x3", "bplf_3x3_1x1"),
        ("bplf_3x3_no_g0_actnorm", "bplf_3x3_1x1_no_g0_actnorm"),
        ("bplf_3x3_svd", "bplf_3x3"),
    }
    grid = contrasts(names("g0"))
    # Of 4 networks and 2 ranks: three things about g0, a network beside another, truncated or not.
    assert len(grid) == 4 * 2 * 3 + (1 + 2 * 2) * 2 + 4
    first = grid[0]
    assert first.method == "3x3_1x1_3x3-g0-no_actnorm-full"
    assert first.less == "3x3_1x1_3x3-coupling-actnorm-full"
    for question, method, less in grid:
        differ = [a != b for a, b in zip(method.split("-"), less.split("-"), strict=True)]
        # But g0, in whose place there is an ActNorm.
        assert sum(differ) == (2 if question.startswith("is it g0") else 1)


@pytest.mark.parametrize(
    ("shape", "common", "left_out"),
    [
        ((28, 28, 1), "--levels=2", {"bplf_3x3_pca", "nice_dense"}),
        ((28, 28, 1), "--levels=2 --depth=12,16 --width=96,96", {"bplf_3x3_pca", "nice_dense"}),
        ((32, 32, 3), "", set()),
        ((32, 32, 3), "--depth=8,8,8", {"nice_dense"}),
        ((48, 48, 1), "", set()),
    ],
)
def test_every_table_can_be_planned_and_says_what_it_leaves_out(shape, common, left_out):
    for table in TABLES:
        of_methods = {name: f"--size=small {common} {own}" for name, own in methods(table)}
        plan = fitted(of_methods, Budget("minutes", 10), shape, CLASSES)
        assert set(plan.unfit) == left_out & of_methods.keys()
        assert [*plan.flags] == [name for name in of_methods if name not in plan.unfit]
        assert all(text.endswith("--max_minutes=10") for text in plan.flags.values())
    reason = fitted(
        {"bplf_3x3": "--size=small --levels=2", "nice_dense": "--preset=nice_dense --levels=2"},
        Budget("minutes", 10),
        shape,
        CLASSES,
    ).unfit["nice_dense"]
    assert "squeeze='flatten' leaves one level, got levels=2" in reason


def test_what_the_first_method_cannot_be_made_with_is_refused():
    with pytest.raises(ValueError, match="height and width must be divisible"):
        fitted(dict(methods("3")), Budget("minutes", 10), (28, 28, 1), CLASSES)


def configs_of(text):
    """Of the four networks, with g0 and without truncation."""
    texts = {name: f"{own} {text}" for name, own in methods("g0", ("full",))[::4]}
    configs = {name: config_of(own, SHAPE, CLASSES) for name, own in texts.items()}
    assert len({config.network for config in configs.values()}) == 4
    return texts, configs


def test_equal_parameters():
    texts, configs = configs_of("--levels=2 --depth=3,2 --width=24,16")
    plan = fitted(texts, Budget("parameters", 5), SHAPE, CLASSES)
    assert not plan.unfit
    (first, *_) = configs.values()
    parameters = cost(first)[0]
    for own in plan.flags.values():
        assert "--max_steps=5" in own
        assert cost(config_of(own, SHAPE, CLASSES))[0] == pytest.approx(parameters, rel=0.02)


def test_parameters_that_no_width_gives_are_told():
    of_methods = {
        "small": "--preset=bplf_3x3_1x1 --size=tiny --levels=1 --depth=1 --width=4",
        "big": "--preset=bplf_3x3 --size=tiny --levels=1 --depth=1 --width=4",
    }
    plan = fitted(of_methods, Budget("parameters", 5), SHAPE, CLASSES)
    assert [*plan.flags] == ["small"]
    assert "no width gives it the first method's" in plan.unfit["big"]


def test_equal_flops():
    _, configs = configs_of("--size=tiny")
    first, *_ = configs.values()
    flops = cost(first)[1]
    for config in configs.values():
        own = budget_flags(Budget("flops", 1000), config, first)
        count = int(own.removeprefix("--max_steps="))
        assert count * cost(config)[1] == pytest.approx(1000 * flops, rel=0.01)
    assert budget_flags(Budget("flops", 1000), first, first) == "--max_steps=1000"


@pytest.mark.parametrize("kind", ["steps", "parameters"])
def test_many_steps_have_no_exponent(kind):
    budget = Budget(kind, 1_000_000.0)
    config = config_of("--size=tiny", SHAPE, CLASSES)
    assert "--max_steps=1000000" in budget_flags(budget, config, config)
    assert (budget.folder, "1000000" in str(budget)) == (f"{kind}_1000000", True)
    own = f"{budget_flags(budget, config, config)} --size=tiny"
    assert config_of(own, SHAPE, CLASSES) is not None


def test_minutes_may_be_fractions():
    config = config_of("--size=tiny", SHAPE, CLASSES)
    assert budget_flags(Budget("minutes", 2.5), config, config) == "--max_minutes=2.5"
    assert ablation_plan.Budget("minutes", 2.5).folder == "minutes_2.5"
