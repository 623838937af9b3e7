"""Bring sales, plans, holidays and weather into the warehouse."""
