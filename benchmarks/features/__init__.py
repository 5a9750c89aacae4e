"""Cells of the page "Features compared", by library."""
