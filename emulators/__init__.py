"""BigQuery and Cloud Storage on a laptop: two emulators with their gaps repaired.

`commands` says how to start them. README.md lists every repair.
"""
