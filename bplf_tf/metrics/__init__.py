"""What generated and edited faces are worth, as numbers; nothing here needs a download.

Features come from a classifier of expressions that was trained on real faces
(`expression_classifier`), not from a network of photographs of things: figures on them are called
expression-KID, expression-FID and so on, and never stand beside those of Inception features.
"""
