"""Fit models and put them in service."""
