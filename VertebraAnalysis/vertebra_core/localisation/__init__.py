"""Finding the centres of vertebral bodies in a CT."""
