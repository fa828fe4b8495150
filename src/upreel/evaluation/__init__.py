"""Quality and speed, measured on the code that users run."""
