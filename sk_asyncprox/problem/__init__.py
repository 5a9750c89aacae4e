"""What is minimised, and proved of an iterate: data, loss, penalty, intercept; certificates of the gap."""

from .certificate import Certificate
from .in_memory import Problem

__all__ = ["Certificate", "Problem"]
