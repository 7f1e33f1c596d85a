"""The Diameter base protocol (RFC 6733) and credit control (RFC 8506, TS 32.299).

Octets become AVPs in `codec`, and message classes in `generated`; `messages` is the list of what we understand.
"""
