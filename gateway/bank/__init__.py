"""Files of banks (ISO 20022): statements and status reports as read, payment orders as written."""
