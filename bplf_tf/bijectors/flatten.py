"""The whole image as the channels of one position, as a chain of TFP's own bijectors."""

import tensorflow_probability as tfp


def flatten(image_shape: tuple[int, int, int], name: str = "flatten") -> tfp.bijectors.Bijector:
    """`[..., 1, 1, H * W * C] -> [..., H, W, C]` (forward, latent to image).

    The first half of the channels are the even-numbered pixels, the second half the odd ones, the
    partition of NICE (Dinh et al. 2015), section 5.1.

    Args:
      image_shape: (H, W, C), with an even product.
      name: name of the bijector.
    """
    height, width, channels = image_shape
    half = height * width * channels // 2
    bijectors = tfp.bijectors
    return bijectors.Chain(
        [
            bijectors.Reshape(event_shape_out=image_shape, event_shape_in=[half, 2]),
            bijectors.Transpose(perm=[1, 0]),
            bijectors.Reshape(event_shape_out=[2, half], event_shape_in=[1, 1, 2 * half]),
        ],
        name=name,
    )
