"""The sections of gateway.yaml, a file each: every key with its kind, its bounds and its default.

All durations are whole seconds once read, all paths absolute. config/gateway.yaml explains each key to the operator.
"""
