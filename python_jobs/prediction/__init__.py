"""Forecast with the models that serve."""
