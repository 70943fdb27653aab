"""What every domain builds on: settings, database, encryption, error tracking."""
