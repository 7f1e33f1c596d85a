"""Prices: pure arithmetic from usage to micro-units of money."""
