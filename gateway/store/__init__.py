"""The disk: tables, migrations, and the write lane, the one door through which state changes (DESIGN §3)."""
