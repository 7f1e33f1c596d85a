"""Texts and receipts in: what the SMSCs deliver is handed to the write lane, and answered when its effects are on disk."""
