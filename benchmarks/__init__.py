"""Benchmarks: `python -m benchmarks.NAME [--quick] [--out FILE]`; the last line of stdout is one JSON object."""
