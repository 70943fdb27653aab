"""What the stack itself takes: seconds to start, memory and time while idle, bytes on disk."""
