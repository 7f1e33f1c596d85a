"""How the tables came to be, step by step; `tpo db upgrade` runs what is missing."""
