"""The runs: each a chain of dbt stages and Python steps under one lease."""
