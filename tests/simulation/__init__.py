"""The gateway in a world of its own, which a seed decides whole: time, network, disk, peers and what befalls them.

docs/simulation.md says what is simulated and what a finding is worth.
"""
