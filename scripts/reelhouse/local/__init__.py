"""Stand-ins for a cloud, on this machine."""
