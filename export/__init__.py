"""Export of a trained model: SavedModel, TFLite, serving, web page. Runs from a checkout."""
