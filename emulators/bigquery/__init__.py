"""bqemulator with the repairs that dbt and Google's clients need: `python -m emulators.bigquery`.

Every function that `patches.PATCHES` names takes the emulator's original and returns what takes
its place.
"""
