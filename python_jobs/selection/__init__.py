"""Choose recipes and models by what they are worth on past origins."""
