"""The paper's tables 1 and 2, the official counts, and what is known of their differences."""

from __future__ import annotations

from bplf_tf.config import EMOTIONS

ORIGINAL = {
    "jaffe": {
        "all": dict(zip(EMOTIONS, (30, 29, 32, 31, 30, 31, 30), strict=True)),
    },
    "ck_plus": {
        "all": dict(zip(EMOTIONS, (136, 178, 76, 208, 174, 85, 250), strict=True)),
    },
    "fer2013": {
        "train": dict(zip(EMOTIONS, (3927, 436, 4022, 7002, 4895, 4729, 3129), strict=True)),
        "validation": dict(zip(EMOTIONS, (354, 55, 355, 895, 398, 454, 321), strict=True)),
        "test": dict(zip(EMOTIONS, (654, 55, 527, 879, 626, 594, 416), strict=True)),
    },
    "mmi": {
        "all": dict(zip(EMOTIONS, (96, 144, 96, 224, 0, 144, 144), strict=True)),
    },
}
"""Table 1: images of each source before cleaning; of FER2013 by split."""

CLEANED = dict(zip(EMOTIONS, (2334, 510, 2315, 4751, 3660, 2556, 2609), strict=True))
"""Table 2: images of EmotionSet."""

OFFICIAL_FER2013 = {
    "train": dict(zip(EMOTIONS, (3995, 436, 4097, 7215, 4965, 4830, 3171), strict=True)),
    "validation": dict(zip(EMOTIONS, (467, 56, 496, 895, 607, 653, 415), strict=True)),
    "test": dict(zip(EMOTIONS, (491, 55, 528, 879, 626, 594, 416), strict=True)),
}
"""What the official csv holds: Training, PublicTest and PrivateTest."""

EXPLANATIONS = {
    "jaffe": (
        "The paper's 213 images are the whole official set. Any difference is of the files given."
    ),
    "ck_plus": (
        "The last three frames of the 327 labelled sequences are 135 anger, 177 disgust, 75 fear, "
        "207 happy, 84 sad and 249 surprise (and 54 contempt, which the paper leaves out): one "
        "less than the paper in every class. The paper's 174 neutral images have no official "
        "counterpart; the first frames of all labelled sequences, which are taken here, are 327."
    ),
    "fer2013": (
        "The official csv holds 35,887 images and the paper's table 34,723. Its training counts "
        "are 0 to 3 % below the official ones; its test counts are those of PrivateTest but for "
        "fear (527, officially 528) and for anger, where 654 is more than the 491 that exist; of "
        "its validation counts only happy (895) is official. So the table cannot be reproduced "
        "from the official files. Rows that the given file lacks are missing here too."
    ),
    "mmi": (
        "All of the paper's counts are multiples of 16, as if 53 units of 16 frames had been "
        "taken; it does not say which frames. Here a labelled clip gives its apex frames."
    ),
    "emotionset": (
        "The paper keeps 18,735 of 36,891 images and names Haar cascades and MTCNN, with neither "
        "settings nor the order of its steps. The shares that a Haar cascade (frontalface_alt2, "
        "scaleFactor 1.1, minNeighbors 3) keeps of FER2013 at its own size fit the paper's by "
        "class (correlation 0.92, mean difference 0.03), those of MTCNN, 0.76 to 0.90, do not. "
        "Unlike the paper, as far as it says, this build also removes exact and near copies, "
        "copies across splits, and images whose copies have different labels."
    ),
}
"""Per source, and under "emotionset" for all together, what explains the differences."""
