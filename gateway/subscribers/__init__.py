"""Who is it: opaque subscriber ids and the numbers that belong to them over time."""
