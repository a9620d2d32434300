"""A flow that was started from drawn faces and not trained: it draws noise around their mean."""

import datasets
from bplf_tf import BPLF


def few_faces():
    """70 drawn faces of 16x16 pixels, ten of each label."""
    return datasets.load("drawn_faces", "train", image_size=16, limit=70)


def started_flow(faces):
    flow = BPLF.from_preset(
        "bplf_3x3_1x1",
        size="tiny",
        levels=1,
        depth=1,
        width=4,
        image_shape=faces.image_shape,
        classes=faces.classes,
    )
    flow.initialize(faces.images, faces.labels)
    return flow
