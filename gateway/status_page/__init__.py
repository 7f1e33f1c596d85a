"""The status page: what a browser sees of the running gateway."""
