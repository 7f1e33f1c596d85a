"""Notices to customers: statutory ones, which reach everybody and carry nothing else, and courtesies, which one may decline."""
