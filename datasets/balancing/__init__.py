"""Data sets whose rare labels are filled up with generated faces; `datasets.balance` makes them."""
