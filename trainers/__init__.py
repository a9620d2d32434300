"""Programs that train, sample and evaluate; run them with `python -m` from a checkout."""
