"""Online charging, in no protocol's terms but in gy: requests in, quota and money out, each committed before it is answered."""
