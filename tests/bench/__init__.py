"""What the gateway can do: measured, beside an echo in the same run."""
