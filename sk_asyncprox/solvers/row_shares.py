"""Products of a Newton step, shared by runs of rows."""

import numpy as np


class RowShares:
    """The runs of rows that a Newton step is cut into, and how their products are joined.

    Parameters
    ----------
    runs : list of (int, int)
    model : DiagonalCurvature or SoftmaxCurvature
        Second-order model of the loss.
    n_outputs : int
        Margins of a sample.
    key : tuple
        Name of the columns, under which the workers keep their rows of them.

    Attributes
    ----------
    pieces : list of (key, (int, int), model)
    sums : list of ndarray of shape (k,) or None
        ``X' M e`` for the column ``e`` of every intercept: what centring takes that no run of rows knows.
    """

    def __init__(self, runs, model, n_outputs, key):
        self.sums = None
        self.pieces = [(("rows", key[:2], i), run, model.rows(*run)) for i, run in enumerate(runs)]
        self._model, self._n_outputs = model, n_outputs

    def join(self, operation, vectors, answers):
        """The product, from those with the runs."""
        if operation == "mul":
            return self._margins(answers)
        if operation != "curve":
            return sum(answers)
        margins, images = zip(*answers, strict=True)
        along, image = self._margins(margins), sum(images)
        if vectors[-1]:
            shift = np.atleast_1d(self._model.shift(along))
            for size, column in zip(shift, self.sums, strict=True):
                image = image + size * column
        return along, image

    def _margins(self, answers):
        parts = [answer.reshape(self._n_outputs, -1) for answer in answers]
        return np.concatenate(parts, axis=1).ravel()


def split_rows(operation, vectors, run, model, n_outputs):
    """Arguments of the product with a run of rows, in which no intercept follows."""
    if operation == "curve":
        return model, vectors[1], False
    if operation == "mul":
        return vectors
    return [v.reshape(n_outputs, -1)[:, slice(*run)].ravel() for v in vectors]
