"""The components of the running gateway, one a file: each makes its parts from the settings."""
