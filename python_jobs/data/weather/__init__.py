"""Weather from a service: where the units are, what is due, how to ask, what an answer says."""
