"""What the test levels share."""
