"""Plan, run, watch and publish a study."""
