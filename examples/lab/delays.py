# %% [markdown]
# # Lab 1: what is a delay? (30 minutes)
#
# Several workers share one vector of coefficients. Each *reads* it, computes
# for a while, and *writes* its result; nobody waits for anybody. The
# **delay** of a write is the number of other writes between its read and
# itself. You will count delays by hand, then by program, then in a run of the
# library, and derive the sum that every safe step rests on.
#
# Fill in what is marked by `...`; the cell after each exercise checks it. It
# needs `pip install 'sk-asyncprox[plot]'`.

# %%
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sk_asyncprox import Lasso
from sk_asyncprox.executors import Simulated, Trace
from sk_asyncprox.inspection import TimelineDisplay
from sk_asyncprox.theory import window_sums

X, y = load_diabetes(return_X_y=True)
X, y = scale(X), scale(y)

# %% [markdown]
# ## Exercise 1: count by hand
#
# Three workers wrote eight times. When did each task read, and when did it
# write?
#
# | write  | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
# | ------ | - | - | - | - | - | - | - | - |
# | worker | A | B | A | A | C | B | A | C |
# | read at  | 0 | 0 | 1.0 | 2.0 | 0 | 1.5 | 3.0 | 3.2 |
# | write at | 1.0 | 1.5 | 2.0 | 3.0 | 3.2 | 3.5 | 4.0 | 5.0 |
#
# The first write of A has the delay 0: nothing was written before it. Worker
# A reads again in the same instant in which it has written; that write is not
# part of its next delay.

# %% exercise 1
# your answer: eight delays
counted = ...
# solution
counted = [0, 1, 1, 0, 4, 3, 2, 2]
# end

# %% check 1
assert len(counted) == 8, "one delay per write"
assert counted[0] == 0, "nothing was written before the first write"
assert max(counted) == counted[4], "worker C computes longest"
assert sum(counted) == 13, (
    "some are not right yet: which writes lie between the read and the write?"
)

# %% [markdown]
# ## Exercise 2: count by program
#
# `reads[k]` and `writes[k]` are the times of write `k`; `writes` is sorted
# and has no ties. Return the delays. Take a read and a write at the same
# instant as: first the write, then the read.


# %% exercise 2
def delays_of(reads, writes):
    # your answer
    ...
    # solution
    return np.arange(len(writes)) - np.searchsorted(writes, reads, side="right")
    # end


# %% check 2
reads = np.array([0, 0, 1.0, 2.0, 0, 1.5, 3.0, 3.2])
writes = np.array([1.0, 1.5, 2.0, 3.0, 3.2, 3.5, 4.0, 5.0])
assert np.array_equal(delays_of(reads, writes), counted)

# %% [markdown]
# Now a run of the library: four workers, the last one four times slower, and
# every task on record. `asked` and `told` are the places of reads and writes
# in the order of all that happened.

# %% check 2
four = Trace.from_service_times([1.0, 1.0, 1.0, 4.0])
model = Lasso(
    alpha=0.05,
    step_size="adaptive1",
    metric="lipschitz",
    executor=Simulated(four),
).fit(X, y)
history = model.history_
mine = delays_of(history.arrivals["asked"], history.arrivals["told"])
assert np.array_equal(mine, history.updates["delay"])

# %% [markdown]
# In the timeline every bar is a task. Find the slow worker, and count a delay
# in the picture.

# %%
TimelineDisplay.from_estimator(model, start=0, stop=30)

# %% [markdown]
# ## Exercise 3: how long is a delay on average?
#
# `m` workers are always busy. While one of them computes, how many writes do
# the others make, on average over all writes? Does it depend on how unequal
# the workers are? Write down a formula, then let the check compare it with
# three schedules.


# %% exercise 3
def mean_delay(m):
    # your answer
    ...
    # solution
    return m - 1
    # end


# %% check 3
for times in ([1.0] * 4, [1.0] * 7 + [10.0], [1.0, 2.0, 4.0, 8.0, 16.0]):
    delays = Trace.from_service_times(times).delays(4000, solver="bcd")
    print(
        f"{len(times)} workers: measured {delays.mean():.2f}, largest {delays.max()}"
    )
    assert abs(delays.mean() - mean_delay(len(times))) < 0.1 * delays.mean()
# Why it is so: every write is "between" for all the tasks in flight but its
# own, and these are m - 1.

# %% [markdown]
# ## Exercise 4: the sum in the window
#
# A step of length $\gamma_t$ moves the vector by at most something
# proportional to $\gamma_t$. So the vector that write $k$ read and the vector
# that it changes differ by at most the steps in between:
#
# $$\sum_{t = k - \tau_k}^{k - 1} \gamma_t .$$
#
# The principle: *this sum and the step itself stay below the step $\gamma'$
# that would be safe without delays.* Write the sum for all `k`. If you keep a
# running sum $S_k = \sum_{t < k} \gamma_t$ then it is one subtraction, and a
# task needs to carry one number: that is how the library does it.


# %% exercise 4
def windows(delays, steps):
    # your answer
    ...
    # solution
    running = np.concatenate([[0.0], np.cumsum(steps)])
    k = np.arange(len(steps))
    return running[k] - running[k - np.asarray(delays)]
    # end


# %% check 4
steps = np.array([0.9, 0.1, 0.0, 0.5, 0.2, 0.1, 0.3, 0.4])
assert np.allclose(windows(counted, steps)[[1, 4]], [0.9, 1.5])
updates, ceiling = history.updates, history.largest_step
found = windows(updates["delay"], updates["step"])
assert np.allclose(found, window_sums(updates["delay"], updates["step"]))
assert np.all(
    (updates["step"] == 0) | (found + updates["step"] <= ceiling * (1 + 1e-9))
)
print(
    f"{np.mean(updates['step'] == 0):.0%} of the steps are zero: their windows were full."
)
