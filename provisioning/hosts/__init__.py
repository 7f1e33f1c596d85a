"""One adapter a file: how each kind of host is brought to hold a line as it is wanted."""
