"""Add a use case from templates: look at its data, propose its settings, write its files."""
