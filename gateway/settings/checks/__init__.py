"""The checks of what no section of gateway.yaml can know alone, a file a subject; `table` has them all in their order."""
