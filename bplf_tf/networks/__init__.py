"""Networks g: Keras layers whose weights are stacked over the K steps of a level."""

from bplf_tf.networks.conv import ConvNetwork
from bplf_tf.networks.make import make_network

__all__ = ["ConvNetwork", "make_network"]
