"""The laptop's cloud: emulators, started and stopped as one stack, and the demo's data."""
