"""Fitting by torch: one loop for every model, on one device or several ranks, that can be killed and goes on."""
