"""gcp-storage-emulator with the guarantees that leases and immutable models rest on.

python -m emulators.storage --port 9023 --data-dir DIR
"""
