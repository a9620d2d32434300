"""Networks g: Keras layers whose weights are stacked over the K steps of a level."""

from bplf_tf.networks.conv import ConvNetwork

__all__ = ["ConvNetwork"]
