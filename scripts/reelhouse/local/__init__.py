"""Local stand-ins for cloud services."""
