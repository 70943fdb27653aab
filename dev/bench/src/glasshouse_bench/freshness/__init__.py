"""How soon what happens in a service can be queried: markers through the real path, timed."""
