"""The parts of the demo distributor: calendar, catalogue, weather, plan, demand, observed sales."""
