"""What both suites share: problems, certified gaps, the base of the solvers, the line of the machine."""
