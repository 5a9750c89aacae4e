"""A policy of one's own: what a square root of the delay leaves, and the window allows."""

from sk_asyncprox.step_sizes import StepSize


class SquareRoot(StepSize):
    """``c / sqrt(delay + 1)``, cut off at what the window leaves."""

    # Then blocks are drawn at random, so that none is starved.
    can_be_zero = True

    def __init__(self, c=1.0):
        self.c = c

    def make_rule(self, setting):
        c = self.c
        return lambda delay, window: min(c / (delay + 1) ** 0.5, max(0.0, 1.0 - window))


if __name__ == "__main__":
    from sklearn.datasets import make_regression

    from sk_asyncprox import Lasso
    from sk_asyncprox.executors import Simulated, Trace
    from sk_asyncprox.theory import satisfies_principle

    X, y = make_regression(100, 20, random_state=0)
    model = Lasso(0.5, step_size=SquareRoot(), n_blocks=5)
    model.set_params(executor=Simulated(Trace.constant(3)), step_size__c=0.8)
    history = model.fit(X, y).history_
    kept = satisfies_principle(history.updates["delay"], history.updates["step"], history.largest_step)
    print(history.stopped, kept.all())
