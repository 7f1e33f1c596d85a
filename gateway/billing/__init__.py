"""Bills: which entries each has, how months are closed, what a bill says, the money that comes in for it, and dunning."""
