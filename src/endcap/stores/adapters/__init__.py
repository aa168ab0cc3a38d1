"""The stores there are: one file each."""
