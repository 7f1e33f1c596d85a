"""The fonts of bills: DejaVu Sans (see LICENSE), cut down by make_fonts."""
