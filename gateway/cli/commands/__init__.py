"""The commands of `tpo`, a file a group, named as it is typed; what they share is in `gateway.cli`."""
