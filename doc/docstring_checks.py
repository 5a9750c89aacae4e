"""What numpydoc checks of the public docstrings, where the site is built and in the tests."""

CHECKS = {"GL08", "PR01", "PR02", "PR07", "RT01", "YD01", "SS06"}

LEFT_OUT = {
    r"\.(delays|problem|losses|penalties|solvers)\.",
    r"\.(plan|run|make_rule|delay_bound)$",
    r"\.Setting",
    r"\.History\.(add_|close|line|who|to_frame)",
}
"""Building blocks, the seam of the executors, and what is told once in a base class or of a named tuple."""
