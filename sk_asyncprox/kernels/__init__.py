"""The arithmetic of one step: no task, no worker, no event."""
