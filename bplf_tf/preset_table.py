"""The named presets: what each of them changes of `ModelConfig`'s defaults. No TensorFlow."""

from typing import Any

# What ancestors do not have.
_ANCESTOR: dict[str, Any] = {"heavy_tails": False, "pixel_logit": False}

_GLOW: dict[str, Any] = {
    **_ANCESTOR,
    "network": "3x3_1x1_3x3",
    "g0": False,
    "actnorm": True,
    "log_scale_form": "sigmoid",
    "affine_order": "shift_scale",
    "label_into": ("top_prior",),
}

_REALNVP: dict[str, Any] = {
    **_ANCESTOR,
    "network": "3x3_3x3_3x3",
    "g0": False,
    "actnorm": True,
    "checkerboard": True,
    "permutation": "swap",
    "log_scale_form": "learned_tanh",
    "split_prior": "standard",
    "top_prior": "standard",
    "label_into": ("g1",),
}

_NICE: dict[str, Any] = {
    **_ANCESTOR,
    "network": "3x3_3x3_3x3",
    "g0": False,
    "coupling": "additive",
    "permutation": "swap",
    "diagonal_scale": True,
    "split_prior": "standard",
    "top_prior": "standard",
    "label_into": ("g1",),
}

_DLF: dict[str, Any] = {
    **_ANCESTOR,
    "network": "3x3_1x1_3x3",
    "kernel_form": "dense",
    "log_scale_form": "learned_tanh",
    "affine_order": "shift_scale",
    "label_at": "output",
}

PRESETS: dict[str, dict[str, Any]] = {
    "bplf_3x3": {"network": "3x3_3x3_3x3"},
    "bplf_3x3_1x1": {"network": "3x3_1x1_3x3"},
    "bplf_3x3_svd": {"network": "3x3_3x3_3x3", "svd_protocol": "paper"},
    "bplf_3x3_1x1_svd": {"network": "3x3_1x1_3x3", "svd_protocol": "paper"},
    "bplf_inception_a": {"network": "inception_a"},
    "bplf_inception_b": {"network": "inception_b"},
    "glow": _GLOW,
    "glow_svd": {**_GLOW, "svd_protocol": "paper"},
    "dlf": _DLF,
    "realnvp": _REALNVP,
    "nice": _NICE,
    "nice_dense": {
        **_NICE,
        "network": "dense",
        "squeeze": "flatten",
        "levels": 1,
        "depth": 4,
        # Of one position: as many numbers as seven labels need to differ in every way.
        "condition_maps": 7,
    },
}

# After a semicolon, what a preset differs in from its paper. What all of them differ in: networks
# see bounded inputs and pad with zeros, and start with normalised hidden layers.
SOURCES: dict[str, str] = {
    "bplf_3x3": "BPLF, Xu et al.; networks of 3x3 convolutions; labels as maps unless "
    "label_at='output', pixel logit and heavy tails are ours",
    "bplf_3x3_1x1": "BPLF, Xu et al.; networks of 3x3 and 1x1 convolutions; as bplf_3x3",
    "bplf_3x3_svd": "BPLF, Xu et al., on truncated singular values; as bplf_3x3",
    "bplf_3x3_1x1_svd": "bplf_3x3_1x1 on truncated singular values; as bplf_3x3",
    "bplf_inception_a": "BPLF with GoogLeNet's module 4c, Szegedy et al. 2015, arXiv 1409.4842; "
    "the thesis does not say which module",
    "bplf_inception_b": "BPLF with the asymmetric module of Szegedy et al. 2016, arXiv 1512.00567; "
    "the thesis does not say which module",
    "glow": "Glow, Kingma and Dhariwal 2018, arXiv 1807.03039; no loss of a classifier beside the "
    "likelihood, priors' scales bounded",
    "glow_svd": "Glow on truncated singular values, as in the BPLF paper; as glow",
    "dlf": "DLF, Liao et al. 2019, arXiv 1905.03239; starts from the data unless start='dlf', no "
    "loss of a classifier, no penalty on 1x1 kernels",
    "realnvp": "RealNVP, Dinh et al. 2017, arXiv 1605.08803; ActNorm for its batch normalisation, "
    "plain networks unless network='residual', channel masks at the last scale too, pixels for "
    "their logit",
    "nice": "NICE, Dinh et al. 2015, arXiv 1410.8516; made convolutional and multi-scale, Gaussian "
    "for its logistic prior",
    "nice_dense": "NICE, Dinh et al. 2015, arXiv 1410.8516; Gaussian for its logistic prior, no "
    "whitening of the data",
}

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"levels": 2, "depth": 2, "width": 16},
    # Next to the image the parameters learn most: docs/training.md.
    "small": {"levels": 3, "depth": (20, 10, 6), "width": (160, 96, 64)},
    "base": {"levels": 3, "depth": 16, "width": 128},
    "paper": {"levels": 3, "depth": 32, "width": 512},
}
