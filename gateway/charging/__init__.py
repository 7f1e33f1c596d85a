"""Credit control: Gy/Ro requests in, quota and money out, each committed before it is answered."""
