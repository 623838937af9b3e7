"""Prophet for a whole portfolio: fit, score and store many series as arrays."""
