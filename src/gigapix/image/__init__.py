"""An image: opened, planned, read."""
