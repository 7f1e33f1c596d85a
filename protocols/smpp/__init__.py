"""SMPP 3.4 and what 5.0 adds to it: octets to PDUs, PDUs to texts and receipts.

Octets become frames and headers in `codec`, and message classes in `generated`; `messages` is the list of what we
understand. `text` and `receipts` read what the short messages say.
"""
