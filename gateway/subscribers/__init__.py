"""Who is it: opaque subscriber ids, the numbers that belong to them over time, their plans and choices."""
