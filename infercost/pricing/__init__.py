"""Prices: the dated book, the user's overrides, the names of models, and the join that puts a cost on attempts."""
