"""The multi-scale composition: after each level but the last, half of the channels leave."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps

from bplf_tf.bijectors.base import FlowBijector
from bplf_tf.bijectors.channels import split_channels, with_last


class MultiScale(FlowBijector):
    """Chains levels, of which each but the last hands on half of its channels.

    Forward: latent `[..., H * W * C]` to image `[..., H, W, C]`, last level first.
    Forward log-det: the sum of the levels' forward log-dets.
    Inverse: image to latent: `y = level_l^-1(x)`; the first half of the channels of y is the x
      of the next level, the second half, flattened, is part l of the latent; the last level's y
      is its last part.
    Inverse log-det: the sum of the levels' inverse log-dets.

    Source: RealNVP (Dinh et al. 2017), section 3.6.
    """

    def __init__(
        self,
        levels: Sequence[tfp.bijectors.Bijector],
        image_shape: Sequence[int],
        name: str = "multi_scale",
    ) -> None:
        """Creates the bijector.

        Args:
          levels: bijectors from `[..., h, w, c]` (forward) to images, the first nearest to the
            image; each usually `Chain([Squeeze(), FlowStack(...), SplitPrior(...)])`.
          image_shape: (H, W, C), static.
          name: name of the bijector.

        Raises:
          ValueError: if there is no level, or the image does not fit the levels.
        """
        parameters = dict(locals())
        if not levels:
            raise ValueError("MultiScale needs at least one level, got none")
        self._levels = list(levels)
        self._image_shape = tf.TensorShape(image_shape)
        if self._image_shape.rank != 3 or not self._image_shape.is_fully_defined():
            raise ValueError(f"image_shape must be static (H, W, C), got {image_shape}")
        self._level_shapes = self._shapes_of_levels()
        super().__init__(
            parameters=parameters,
            name=name,
            forward_min_event_ndims=1,
            inverse_min_event_ndims=3,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    @property
    def levels(self) -> list[tfp.bijectors.Bijector]:
        """The levels, the first nearest to the image."""
        return self._levels

    @property
    def level_shapes(self) -> list[tf.TensorShape]:
        """Shape (h, w, c) of each level's latent side, before half of it leaves."""
        return self._level_shapes

    def _shapes_of_levels(self) -> list[tf.TensorShape]:
        shapes, shape = [], self._image_shape
        for level in self._levels:
            shape = level.inverse_event_shape(shape)
            shapes.append(shape)
            shape = shape[:-1].concatenate(shape[-1] // 2)
        return shapes

    def _part_sizes(self) -> list[int]:
        sizes = []
        for height, width, channels in self._level_shapes[:-1]:
            sizes.append(height * width * (channels - channels // 2))
        return [*sizes, self._level_shapes[-1].num_elements()]

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        self._inverse_event_shape(y.shape[-3:])
        batch = ps.shape(y)[:-3]
        log_det = tf.zeros(batch, y.dtype)
        sizes, parts = self._part_sizes(), []
        for i, level in enumerate(self._levels):
            # The value first: a chain keeps what it computed as long as its value lives.
            z = level.inverse(y)
            log_det += level.inverse_log_det_jacobian(y, event_ndims=3)
            if i < len(self._levels) - 1:
                y, leave = split_channels(z)
            else:
                leave = z
            parts.append(tf.reshape(leave, with_last(leave, 3, [sizes[i]])))
        return tf.concat(parts, axis=-1), log_det

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        self._forward_event_shape(x.shape[-1:])
        batch = ps.shape(x)[:-1]
        log_det = tf.zeros(batch, x.dtype)
        parts = tf.split(x, self._part_sizes(), axis=-1)
        for i in reversed(range(len(self._levels))):
            height, width, channels = self._level_shapes[i]
            if i == len(self._levels) - 1:
                y = tf.reshape(parts[i], with_last(x, 1, [height, width, channels]))
            else:
                leaving = channels - channels // 2
                leave = tf.reshape(parts[i], with_last(x, 1, [height, width, leaving]))
                y = tf.concat([y, leave], axis=-1)
            z = y
            y = self._levels[i].forward(z)
            log_det += self._levels[i].forward_log_det_jacobian(z, event_ndims=3)
        return y, log_det

    def _forward_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        size = self._image_shape.num_elements()
        if not tf.TensorShape(shape).is_compatible_with([size]):
            raise ValueError(f"MultiScale.forward needs a latent of {size} numbers, got {shape}")
        return self._image_shape

    def _inverse_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        if not tf.TensorShape(shape).is_compatible_with(self._image_shape):
            raise ValueError(f"MultiScale.inverse needs {self._image_shape}, got {shape}")
        return tf.TensorShape([self._image_shape.num_elements()])

    def _forward_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        del shape
        return tf.constant(self._image_shape.as_list(), tf.int32)

    def _inverse_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        del shape
        return tf.constant([self._image_shape.num_elements()], tf.int32)
