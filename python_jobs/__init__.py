"""Shelfcast's Python jobs: read what SQL prepared, fit or predict, write what SQL judges."""
