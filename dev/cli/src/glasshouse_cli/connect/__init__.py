"""`glasshouse connect`: what another service sets to send here, and whether it arrives."""
