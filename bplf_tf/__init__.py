"""BPLF, the Bi-Parallel Linear Flow: a conditional normalizing flow for facial expressions.

TensorFlow is imported when a name that needs it is first used, so `import bplf_tf` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bplf_tf.config import EMOTIONS, PRESETS, SIZES, ModelConfig, preset_config

if TYPE_CHECKING:
    from bplf_tf.model import BPLF, load_model
    from bplf_tf.pretrained import load_pretrained

__version__ = "0.1.0"

__all__ = [
    "BPLF",
    "EMOTIONS",
    "PRESETS",
    "SIZES",
    "ModelConfig",
    "load_model",
    "load_pretrained",
    "preset_config",
]

_NEEDS_TENSORFLOW = {
    "BPLF": "bplf_tf.model",
    "load_model": "bplf_tf.model",
    "load_pretrained": "bplf_tf.pretrained",
}


def __getattr__(name: str) -> Any:
    if name in _NEEDS_TENSORFLOW:
        return getattr(import_module(_NEEDS_TENSORFLOW[name]), name)
    raise AttributeError(f"module 'bplf_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_NEEDS_TENSORFLOW])
