"""Traces: what goes over the links, peers and hosts about one number or one name, for a while, masked."""
