"""Faults that are put into the package one at a time, each with the test that has to see it."""

from typing import NamedTuple


class Mutation(NamedTuple):
    """One fault."""

    what: str
    """What is wrong then, in words."""

    module: str
    """File of the package."""

    old: str
    """Text that stands there once."""

    new: str
    test: str
    """Test that has to fail: ``file`` or ``file::test``, in ``tests``."""


MUTATIONS = [
    Mutation(
        "Workers tell without waiting for their turn",
        "executors/threads.py",
        ("        turn = self._turns.take()\n        try:\n"),
        ("        turn = _shut_gate()\n        try:\n"),
        "test_trust.py::test_asks_and_tells_are_made_one_at_a_time",
    ),
    Mutation(
        "A late tell undoes the stop",
        "executors/threads.py",
        (
            "                if self.on_events(self.solver.tell([arrival]), now):\n"
            "                    self.asked = True"
        ),
        "                self.asked |= bool(self.on_events(self.solver.tell([arrival]), now))",
        "test_trust.py::test_a_stop_asked_for_during_a_tell_is_seen_after_it",
    ),
    Mutation(
        "The last loop that leaves does not wake those that sleep",
        "executors/threads.py",
        "            self.run(self._work, worker)\n            self._wake_all()",
        "            self.run(self._work, worker)",
        "test_trust.py::test_workers_that_sleep_are_served_and_woken",
    ),
    Mutation(
        "A worker that asks is served, those that sleep are not",
        "executors/threads.py",
        "            self._serve()\n            if given:",
        "            if given:",
        "test_trust.py::test_workers_that_sleep_are_served_and_woken",
    ),
    Mutation(
        "An error in one loop is swallowed",
        "executors/threads.py",
        "        if crew.error is not None:\n            raise crew.error\n",
        "",
        "test_trust.py::test_the_error_of_a_worker_wakes_and_ends_the_others",
    ),
    Mutation(
        "What a signal's handler raises is raised at once, in the middle of anything",
        "_interrupts.py",
        "            self._stop.ask()\n            if self._raised is None:",
        "            raise\n            if self._raised is None:",
        "test_interrupt.py::test_a_second_interrupt_is_raised_at_once_when_the_threads_take_long",
    ),
    Mutation(
        "Handlers of signals are not put back",
        "_interrupts.py",
        "            signal.signal(number, handler)\n            del self._handlers[number]",
        "            del self._handlers[number]",
        "test_interrupt.py::test_a_second_interrupt_is_raised_at_once_when_the_threads_take_long",
    ),
    Mutation(
        "BLAS keeps one thread after a fit",
        "_blas_limit.py",
        "            library.set_num_threads(number)\n",
        "            pass\n",
        "test_compat.py::test_one_blas_thread_nested",
    ),
    Mutation(
        "The first fit that ends lifts the limit of BLAS for those beside it",
        "_blas_limit.py",
        "            if not self._users and self._before is not None:",
        "            if self._before is not None:",
        "test_compat.py::test_one_blas_thread_left_first_by_the_first",
    ),
    Mutation(
        "A failed fit leaves what it has set",
        "linear_model/_base.py",
        "            self.__dict__ = before\n            raise",
        "            raise",
        "test_failed_fits.py::test_every_failure_leaves_every_estimator_as_it_was",
    ),
    Mutation(
        "The window counts no steps",
        "delays.py",
        "self.total - oldest.total",
        "0.0",
        "test_delays.py",
    ),
    Mutation(
        "The delay is that of the newest read",
        "delays.py",
        "        oldest = min(stamps)",
        "        oldest = max(stamps)",
        "test_delays.py",
    ),
    Mutation(
        "Steps of length zero are not counted as writes",
        "delays.py",
        "        self.update += 1\n",
        "        self.update += step > 0\n",
        "test_delays.py",
    ),
    Mutation(
        "A task is stamped before the last write",
        "solvers/ledger.py",
        "        return Task(kind, worker, stamp or self.stamp(), self.clock, block, payload)",
        (
            "        stamp = stamp or self.stamp()\n"
            "        stamp = stamp._replace(update=max(0, stamp.update - 1))\n"
            "        return Task(kind, worker, stamp, self.clock, block, payload)"
        ),
        "test_contract.py::test_every_order[two-blocks, exact]",
    ),
    Mutation(
        "A certificate of Async-BCD is stamped at its tell",
        "solvers/bcd.py",
        "(result, task.stamp.update, task.worker, task.asked)\n",
        "(result, self.n_updates, task.worker, task.asked)\n",
        "test_contract.py::test_every_order[two-blocks, exact]",
    ),
    Mutation(
        "A certificate of PIAG is stamped at its tell",
        "solvers/piag.py",
        "            self._digest(result, task.stamp.update, task.worker, task.asked)",
        "            self._digest(result, self.n_updates, task.worker, task.asked)",
        "test_contract.py::test_long_schedules[server]",
    ),
    Mutation(
        "A certificate by shards is stamped at its last tell",
        "solvers/piag.py",
        "        self._digest(certificate, looking.stamp.update)",
        "        self._digest(certificate, self.n_updates)",
        "test_contract.py::test_long_schedules[server, by shards]",
    ),
    Mutation(
        "A block is handed out twice",
        "solvers/block_layout.py",
        " if j not in self._held]",
        "]",
        "test_contract.py::test_every_order[two-blocks, exact, as many as workers]",
    ),
    Mutation(
        "Blocks of an old layout are in flight beside those of a new one",
        "solvers/block_layout.py",
        "        if any(generation != self.generation for generation in self._held.values()):",
        "        if False:",
        "test_trust.py::test_blocks_of_a_new_working_set_wait_for_those_of_the_old_one",
    ),
    Mutation(
        "A dropped task keeps its block",
        "solvers/bcd.py",
        ("            self._certifying = False\n        else:\n            self._layout.release(task.block)"),
        "            self._certifying = False",
        "test_contract.py::test_what_is_lost_is_done_again",
    ),
    Mutation(
        "A dropped certificate is waited for",
        "solvers/bcd.py",
        (
            '        if task.kind == "certificate":\n'
            "            self._certifying = False\n"
            "        else:\n"
            "            self._layout"
        ),
        '        if task.kind != "certificate":\n            self._layout',
        "test_contract.py::test_what_is_lost_is_done_again",
    ),
    Mutation(
        "A certificate shares its coefficients with later writes",
        "solvers/bcd.py",
        'kind, number, payload = "certificate", -1, (self.at.w.copy(), self.at.b, self.at.z)',
        'kind, number, payload = "certificate", -1, (self.at.w, self.at.b, self.at.z)',
        "test_contract.py::test_every_order[two-blocks, exact]",
    ),
    Mutation(
        "Margins are written in place, under those who read them",
        "kernels/bcd_iterate.py",
        "                self.z = z + share * direction.v\n",
        "                self.z += share * direction.v\n",
        "test_contract.py::test_every_order[two-blocks, adaptive 1]",
    ),
    Mutation(
        "The prox form starts from the block that was read, not from the one there is",
        "solvers/bcd.py",
        "        old = self.at.w[index]\n        new = task.payload.penalty.prox",
        "        old = task.payload.w\n        new = task.payload.penalty.prox",
        "test_contract.py::test_every_order[two-prox, adaptive 1]",
    ),
    Mutation(
        "The coefficients move and the margins do not",
        "solvers/bcd.py",
        "            self.at.z = self.at.z + block.design.mul(move)\n",
        "",
        "test_contract.py::test_every_order[two-prox, adaptive 1]",
    ),
    Mutation(
        "Columns are taken as balanced in any weights",
        "data/design_matrix.py",
        "sums = 0.0 if weights is self.balance else self.tmul(weights)",
        "sums = 0.0",
        "test_design.py::test_data_that_stay_as_they_are_stand_for_the_centred_copy[300-C-centred]",
    ),
    Mutation(
        "Damping of inexact full steps is dropped",
        "solvers/bcd.py",
        "min(1.0, step) * direction.damping)",
        "min(1.0, step))",
        "test_trust.py::test_an_inexact_step_is_written_as_far_as_it_is_safe",
    ),
    Mutation(
        "The step is not divided by the smoothness of the blocks",
        "solvers/bcd.py",
        "        self.step_unit = 1.0 if policy.exact else policy.h / (lipschitz or 1.0)",
        "        self.step_unit = 1.0 if policy.exact else 4.0 * policy.h / (lipschitz or 1.0)",
        "test_solvers.py::test_zero_delays_and_one_block_are_proximal_gradient",
    ),
    Mutation(
        "The exact step trusts the slope at the read",
        "kernels/line_search.py",
        (
            "    slope = -((weights * gradient) @ v + direction.change)\n"
            "    if slope <= 0.0:\n"
            "        return 0.0, slope, z, gradient\n"
        ),
        "    slope = direction.slope\n",
        "test_solvers.py::test_exact_step_never_raises_the_objective",
    ),
    Mutation(
        "The exact step of the logistic loss is Newton's length, unchecked",
        "kernels/line_search.py",
        "    if loss.quadratic:\n        return theta, slope, z_new, g_new",
        "    if True:\n        return theta, slope, z_new, g_new",
        "test_trust.py::test_the_exact_step_falls_also_where_classes_are_nearly_separated",
    ),
    Mutation(
        "A share that is handed out again is not waited for",
        "solvers/rounds_script.py",
        "        self.todo.append(number)\n        self.missing += 1",
        "        self.todo.append(number)",
        "test_rounds.py::test_a_spoilt_step_is_taken_again",
    ),
    Mutation(
        "A dropped share of a phase is lost",
        "solvers/rounds_script.py",
        "        self.phase.todo.append(task.block)",
        "        pass",
        "test_contract.py::test_what_is_lost_is_done_again",
    ),
    Mutation(
        "The recertification of what rounds return is skipped",
        "run_monitor.py",
        "return rule.best if solver.certifies_afresh else problem.recertify(rule.best)",
        "return rule.best",
        "test_trust.py::test_no_drift_of_the_margins_is_in_what_is_returned",
    ),
    Mutation(
        "The last certificate of a plain run is skipped",
        "run_monitor.py",
        "        certificate, lowest = problem.certify(last.w, last.b), rule.lowest\n",
        "        certificate = lowest = rule.lowest or problem.certify(last.w, last.b)\n",
        "test_trust.py::test_a_run_that_is_cut_returns_its_last_iterate",
    ),
    Mutation(
        "PIAG steps before its table is full",
        "solvers/piag.py",
        "        if self._fresh and self._placement.complete:",
        "        if self._fresh:",
        "test_solvers.py::test_piag_waits_for_its_whole_table",
    ),
    Mutation(
        "Sums over shards are never made anew",
        "kernels/server_aggregate.py",
        "        if self._renewed % REFRESH_EVERY or None in self.entries:",
        "        if True:",
        "test_trust.py::test_the_sums_of_models_are_made_anew",
    ),
    Mutation(
        "An older gradient of a shard replaces a newer one",
        "solvers/piag.py",
        "        late = task.asked <= self._barrier or (old is not None and task.stamp < old)",
        "        late = task.asked <= self._barrier",
        "test_contract.py::test_long_schedules[server, movable]",
    ),
    Mutation(
        "PIAG's delay is that of the arrivals, not of the table",
        "solvers/piag.py",
        "        delay, step = self.ledger.measure(*batch.stamps)",
        "        delay, step = self.ledger.measure(*(batch.stamps[a.block] for a in batch.arrivals))",
        "test_contract.py::test_long_schedules[server]",
    ),
    Mutation(
        "The old gradient of a shard stays in the aggregate",
        "kernels/server_aggregate.py",
        "np.subtract(new[k], 0.0 if old is None else old[k], dtype=np.float64)",
        "np.subtract(new[k], 0.0, dtype=np.float64)",
        "test_solvers.py::test_principle_and_convergence_with_random_delays",
    ),
    Mutation(
        "A dropped minimisation loses its arrivals",
        "solvers/piag_models.py",
        "self._fresh, self._solving = [*self._solving.arrivals, *self._fresh], None",
        "self._solving = None",
        "test_contract.py::test_what_is_lost_is_done_again",
    ),
    Mutation(
        "A minimisation from before a retreat is written after it",
        "solvers/piag_models.py",
        "        if task.asked <= self._barrier:\n",
        "        if False:\n",
        "test_trust.py::test_a_minimisation_from_before_a_retreat_is_not_written_after_it",
    ),
    Mutation(
        "A risen objective leads to no retreat",
        "solvers/piag_models.py",
        "        return not certificate.objective",
        "        return False and not certificate.objective",
        "test_models.py::test_the_guard_brings_a_run_back",
    ),
    Mutation(
        "Solutions of shards that raise the objective are kept",
        "solvers/piag_wide.py",
        "            self._retry(certificate.objective)",
        "            pass",
        "test_wide_models.py::test_a_step_that_raises_the_objective_is_taken_back",
    ),
    Mutation(
        "Adaptive 1 takes all that the principle leaves, and more",
        "step_sizes/policies.py",
        "        return lambda delay, window: alpha * max(0.0, 1.0 - window)",
        "        return lambda delay, window: alpha * max(0.0, 1.1 - window)",
        "test_step_sizes.py",
    ),
    Mutation(
        "Adaptive 2 turns equality into zeros",
        "step_sizes/policies.py",
        "            slack = 1e-12 + (delay + 2) * EPS * max(1.0, total)",
        "            slack = 0.0",
        "test_step_sizes.py",
    ),
    Mutation(
        "The dual point is not scaled into the dual set",
        "problem/certificate.py",
        "    return (best, 1.0) if penalty.l2 > 0.0 and best != 1.0 else (best,)",
        "    return (1.0,)",
        "test_problem.py::test_certificates_of_200_problems",
    ),
    Mutation(
        "The wrong class is shrunk to balance a dual point",
        "losses/base.py",
        "(plus > minus)",
        "(plus < minus)",
        "test_losses.py::test_dual_balance",
    ),
    Mutation(
        "A dual point of the Huber loss goes beyond its threshold",
        "losses/huber.py",
        "        limit = min(limit, max(1.0, self.threshold / largest))\n",
        "",
        "test_losses.py::test_dual_scale_is_allowed_and_good",
    ),
    Mutation(
        "A dual point of the Huber loss goes beyond its threshold where features are unpenalised",
        "problem/dual_point.py",
        "(close and (rounding or not loss.jumps))",
        "close",
        "test_huber.py::test_bounds_hold_where_features_are_unpenalised",
    ),
    Mutation(
        "The search for the Huber loss's intercept may go to and fro",
        "losses/huber.py",
        "            t = new if low < new < high else 0.5 * (low + high)",
        "            t = new if low <= new <= high else 0.5 * (low + high)",
        "test_losses.py::test_best_intercept_is_optimal",
    ),
    Mutation(
        "A process is sent its part with every task",
        "executors/processes.py",
        "        parcel = None if id(part) in sent else part",
        "        parcel = part",
        "test_processes.py::test_every_worker_is_a_process_that_is_sent_its_part_once",
    ),
    Mutation(
        "Models whose curvature jumps are no majorants",
        "solvers/piag_models.py",
        "Care(1.0) if self.problem.loss.jumps else None",
        "None",
        "test_huber.py::test_models_that_would_go_to_and_fro_are_majorants",
    ),
    Mutation(
        "A bound on the optimum is forgotten where the next certificate has a lower one",
        "solvers/ledger.py",
        "        self.lower_bound = max(self.lower_bound, certificate.dual)",
        "        self.lower_bound = certificate.dual",
        "test_contract.py::test_a_bound_on_the_optimum_is_kept",
    ),
    Mutation(
        "A gap that is not a number meets every tolerance",
        "stopping.py",
        "        return self.measure(certificate, gap) <= min(self.limit(certificate), LARGEST)",
        "        return not self.measure(certificate, gap) > min(self.limit(certificate), LARGEST)",
        "test_trust.py::test_what_is_not_a_number_meets_no_tolerance",
    ),
    Mutation(
        "Weights of the shards are not in the constant of PIAG",
        "shards/shard.py",
        "    return float(shares @ constants), square",
        "    return float(constants.min()), square",
        "test_trust.py::test_the_constant_of_unequal_shards_is_the_mean_of_theirs",
    ),
    Mutation(
        "The bound on a walk's rounding is left out",
        "kernels/path_squared_loss.py",
        "np.maximum(objectives - duals, 0.0) + rounding",
        "np.maximum(objectives - duals, 0.0)",
        "test_walk.py::test_what_rounding_could_hide_goes_in_rounds",
    ),
    Mutation(
        "A solution between two is made of the wrong shares of them",
        "kernels/path_squared_loss.py",
        "            W[i] = (1.0 - t) * W[i - 1] + t * W[i + 1]",
        "            W[i] = t * W[i - 1] + (1.0 - t) * W[i + 1]",
        "test_walk.py::test_solutions_between_two_are_made_of_them_where_that_will_do",
    ),
    Mutation(
        "A fold's problem keeps the weights of all rows",
        "problem/fold_moments.py",
        "        weights = weights / weights.sum()\n",
        "        weights = weights * 1.0\n",
        "test_cv.py::test_every_path_value_is_the_plain_fit",
    ),
    Mutation(
        "Small coefficients are set to zero whatever that costs",
        "problem/certificate.py",
        "    return certificate if tidied.gap > max(certificate.gap, limit) else tidied",
        "    return tidied",
        "test_trust.py::test_a_small_coefficient_that_counts_is_kept",
    ),
    Mutation(
        "Correlations with unpenalised features are left in the bound",
        "problem/in_memory.py",
        "unpenalised.dual_point(self, z, correlations) if free else (theta, correlations)",
        "(theta, correlations)",
        "test_penalty_weights.py::test_bounds_hold_everywhere_and_meet_the_optimum",
    ),
    Mutation(
        "Working sets leave unpenalised features out",
        "penalties/elastic_net.py",
        "        return (w != 0.0) | (self.weights == 0.0)\n",
        "        return w != 0.0\n",
        "test_penalty_weights.py::test_unpenalised_features_are_in_every_working_set",
    ),
    Mutation(
        "A schedule is drawn with reads one write too late",
        "delays.py",
        "                reads[worker] = turn[0], k, next(clock)",
        "                reads[worker] = turn[0], k + 1, next(clock)",
        "test_inspection.py::test_delays_of_a_bare_trace",
    ),
    Mutation(
        "A policy above the ceiling is not told of",
        "run_warnings.py",
        "    if kept.all():",
        "    if kept.any():",
        "test_step_sizes.py::test_a_rule_above_the_ceiling_is_warned_of_once",
    ),
    Mutation(
        "The pull of a group is not measured by its weight",
        "penalties/group_lasso.py",
        "        return (self.norms(c) / self.group_weights)[self.labels]",
        "        return self.norms(c)[self.labels]",
        "test_group_lasso.py::test_penalty_by_hand",
    ),
    Mutation(
        "Blocks are cut through groups",
        "solvers/block_layout.py",
        "    if group is None:",
        "    if group is None or n_blocks > 1:",
        "test_group_lasso.py::test_blocks_keep_groups_together",
    ),
]
