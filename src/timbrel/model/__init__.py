"""The model directory: export, write, read, run."""
