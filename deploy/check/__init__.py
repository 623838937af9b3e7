"""Checks of everything under `deploy/` that need no cloud: `make deploy-check`."""
