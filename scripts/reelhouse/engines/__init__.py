"""What differs between engines: load, publish and read."""
