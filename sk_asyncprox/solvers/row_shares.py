"""Products of a Newton step, shared by runs of rows."""

import numpy as np


class RowShares:
    """How the arguments of a product are cut for runs of rows, and how the answers are joined.

    Parameters
    ----------
    runs : list of (int, int)
    model : DiagonalCurvature or SoftmaxCurvature
        Second-order model of the loss.
    n_outputs : int
        Margins of a sample.

    Attributes
    ----------
    sums : list of ndarray of shape (k,) or None
        ``X' M e`` for the column ``e`` of every intercept: what centring takes that no run of rows knows.
    """

    def __init__(self, runs, model, n_outputs):
        self.runs, self.model, self.sums = runs, model, None
        self._models = [model.rows(*run) for run in runs]
        self._n_outputs = n_outputs

    def split(self, operation, vectors, i):
        """Arguments of the product with run ``i``."""
        if operation == "curve":
            return [self._models[i], vectors[1], False]
        if operation == "mul":
            return vectors
        a, b = self.runs[i]
        return [v.reshape(self._n_outputs, -1)[:, a:b].ravel() for v in vectors]

    def join(self, operation, vectors, answers):
        """The product, from those with the runs."""
        if operation == "mul":
            return self._rows(answers)
        if operation != "curve":
            return sum(answers)
        margins, images = zip(*answers, strict=True)
        along, image = self._rows(margins), sum(images)
        if vectors[-1]:
            shift = np.atleast_1d(self.model.shift(along))
            for size, column in zip(shift, self.sums, strict=True):
                image = image + size * column
        return along, image

    def _rows(self, answers):
        parts = [answer.reshape(self._n_outputs, -1) for answer in answers]
        return np.concatenate(parts, axis=1).ravel()
