"""The engines there are: one file each."""
