"""What must not be seen: masked numbers and secrets that don't print themselves."""
