"""What is shipped, of whom, under which licence: notices, bills of materials, advisories."""
