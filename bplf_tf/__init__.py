"""BPLF, the Bi-Parallel Linear Flow: a conditional normalizing flow for facial expressions.

TensorFlow is imported when a name that needs it is first used, so `import bplf_tf` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bplf_tf.config import EMOTIONS, ModelConfig, preset_config
from bplf_tf.preset_table import PRESETS, SIZES

if TYPE_CHECKING:
    from bplf_tf.catalogue import presets
    from bplf_tf.model import BPLF, load_model
    from bplf_tf.pixel_synthesis import PixelSynthesis
    from bplf_tf.pretrained import load_pretrained

__version__ = "0.1.0"

__all__ = [
    "BPLF",
    "EMOTIONS",
    "PRESETS",
    "SIZES",
    "ModelConfig",
    "PixelSynthesis",
    "load_model",
    "load_pretrained",
    "preset_config",
    "presets",
]

# Imported when first used: the model needs TensorFlow, the other NumPy.
_LATER = {
    "BPLF": "bplf_tf.model",
    "PixelSynthesis": "bplf_tf.pixel_synthesis",
    "load_model": "bplf_tf.model",
    "load_pretrained": "bplf_tf.pretrained",
    "presets": "bplf_tf.catalogue",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'bplf_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])
