/* Async-BCD on a small Lasso, along a schedule of workers; what the page draws, and nothing of how. */
"use strict";

const Asynchrony = (() => {
  const FUNCTIONS = {
    abs: [Math.abs, 1], exp: [Math.exp, 1], log: [Math.log, 1], sqrt: [Math.sqrt, 1],
    max: [Math.max, 2], min: [Math.min, 2], pow: [Math.pow, 2],
  };
  const VARIABLES = ["delay", "window", "left", "update", "workers"];

  // -- formulas ----------------------------------------------------------------------------------

  function tokens(text) {
    const pattern = /\s*(?:(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)|([a-z_]\w*)|(\*\*|[-+*\/^(),]))/iy;
    const found = [];
    let end = 0;
    for (let match; (match = pattern.exec(text)) !== null; end = pattern.lastIndex) {
      const [whole, number, name, sign] = match, at = end + whole.length - whole.trimStart().length + 1;
      found.push({ number, name, sign: sign === "**" ? "^" : sign, at });
    }
    const rest = text.slice(end).trimStart();
    if (rest) throw new Error(`"${rest[0]}" at character ${text.length - rest.length + 1} is not understood`);
    return found;
  }

  /* A function of {delay, window, left, update, workers}, read by recursive descent; no code is ever evaluated. */
  function parse(text) {
    const list = tokens(text);
    let next = 0;
    const fail = (wanted) => {
      const token = list[next];
      const seen = token ? `"${token.number ?? token.name ?? token.sign}" at character ${token.at}` : "the end";
      throw new Error(`${wanted} is wanted instead of ${seen}`);
    };
    const take = (...signs) => (list[next] && signs.includes(list[next].sign) ? list[next++].sign : null);
    const want = (sign) => take(sign) ?? fail(`"${sign}"`);

    function sum() {
      let value = product();
      for (let sign; (sign = take("+", "-")); ) {
        const a = value, b = product();
        value = sign === "+" ? (x) => a(x) + b(x) : (x) => a(x) - b(x);
      }
      return value;
    }
    function product() {
      let value = signed();
      for (let sign; (sign = take("*", "/")); ) {
        const a = value, b = signed();
        value = sign === "*" ? (x) => a(x) * b(x) : (x) => a(x) / b(x);
      }
      return value;
    }
    function signed() {
      if (take("-")) {
        const a = signed();
        return (x) => -a(x);
      }
      take("+");
      const base = atom();
      if (!take("^")) return base;
      const exponent = signed();
      return (x) => Math.pow(base(x), exponent(x));
    }
    function atom() {
      const token = list[next];
      if (take("(")) {
        const inside = sum();
        want(")");
        return inside;
      }
      if (token?.number !== undefined) {
        next++;
        const value = Number(token.number);
        return () => value;
      }
      if (token?.name === undefined) fail("a number, a name or a bracket");
      next++;
      if (VARIABLES.includes(token.name)) return (x) => x[token.name];
      if (!Object.hasOwn(FUNCTIONS, token.name)) {
        throw new Error(`the name "${token.name}" at character ${token.at} is not known`);
      }
      const [call, count] = FUNCTIONS[token.name], given = [];
      want("(");
      do given.push(sum()); while (take(","));
      want(")");
      if (given.length !== count) throw new Error(`${token.name} takes ${count} value${count > 1 ? "s" : ""}`);
      return (x) => call(...given.map((value) => value(x)));
    }

    const value = sum();
    if (next < list.length) fail("an operator");
    return value;
  }

  // -- policies ----------------------------------------------------------------------------------

  /* The rule of one run, in units of gamma' = h / L: (delay, window, update) -> step. */
  function policy({ name, alpha = 0.9, c = 1, formula = "" }, largestDelay, workers) {
    if (name === "adaptive1") return (delay, window) => alpha * Math.max(0, 1 - window);
    if (name === "adaptive2") return adaptive2();
    if (name === "fixed") return () => 1 / (largestDelay + 0.5);
    if (name === "naive") return (delay) => c / (delay + 1);
    const rule = parse(formula);
    return (delay, window, update) => {
      const step = rule({ delay, window, update, workers, left: Math.max(0, 1 - window) });
      if (Number.isFinite(step) && step >= 0) return step;
      throw new Error(`the step of write ${update} (delay ${delay}, window ${window.toFixed(3)}) is ${step}: not finite, or below zero`);
    };
  }

  function adaptive2() {
    let total = 0;
    return (delay, window) => {
      // A constant delay meets the test with equality, which rounding must not turn into zeros.
      const slack = 1e-12 + (delay + 2) * Number.EPSILON * Math.max(1, total);
      const left = Math.max(0, 1 - window), wanted = 1 / (delay + 1);
      const step = wanted <= left + slack ? Math.min(wanted, left) : 0;
      total += step;
      return step;
    };
  }

  const safety = ({ name }) => (name === "naive" ? 1 : 0.99);
  const canBeZero = ({ name }) => !["fixed", "naive"].includes(name);

  // -- schedules ---------------------------------------------------------------------------------

  /* Uniform numbers in [0, 1) that are the same on every machine (mulberry32). */
  function stream(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let x = Math.imul(state ^ (state >>> 15), state | 1);
      x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
      return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
    };
  }

  /* Workers that read again as soon as they have written: a list of {time, asks, tells}. */
  function schedule(means, updates, seed = null) {
    const streams = means.map((_, worker) => stream(1000 * (seed ?? 0) + worker));
    const draw = (worker) => means[worker] * (seed === null ? 1 : -Math.log(1 - streams[worker]()));
    const ends = means.map((_, worker) => draw(worker)), events = [];
    let asks = means.map((_, worker) => worker);
    for (let count = 0; count < updates; ) {
      const time = Math.min(...ends);
      const tells = ends.flatMap((end, worker) => (end === time ? [worker] : []));
      events.push({ time, asks, tells });
      for (const worker of tells) ends[worker] = time + draw(worker);
      asks = tells;
      count += tells.length;
    }
    return events;
  }

  function largestDelay(events) {
    const reads = {};
    let update = 0, largest = 0;
    for (const { asks, tells } of events) {
      for (const worker of asks) reads[worker] = update;
      for (const worker of tells) largest = Math.max(largest, update++ - reads[worker]);
    }
    return largest;
  }

  // -- the problem -------------------------------------------------------------------------------

  /* (y'y)/(2n) - q'w + w'Qw/2 + alpha |w|_1 */
  function objective({ Q, q, half, alpha }, w) {
    let value = half;
    for (let j = 0; j < w.length; j++) {
      let product = 0;
      for (let i = 0; i < w.length; i++) product += Q[j][i] * w[i];
      value += w[j] * (product / 2 - q[j]) + alpha * Math.abs(w[j]);
    }
    return value;
  }

  const soft = (value, threshold) => Math.sign(value) * Math.max(0, Math.abs(value) - threshold);

  /* Smallest objective, by coordinate descent until nothing moves. */
  function optimum(problem) {
    const { Q, q, alpha } = problem, w = q.map(() => 0);
    for (let sweep = 0, moved = 1; sweep < 20000 && moved > 1e-15; sweep++) {
      moved = 0;
      for (let j = 0; j < w.length; j++) {
        const pull = q[j] - Q[j].reduce((sum, entry, i) => sum + entry * w[i], 0) + Q[j][j] * w[j];
        const old = w[j];
        w[j] = soft(pull, alpha) / Q[j][j];
        moved = Math.max(moved, Math.abs(w[j] - old));
      }
    }
    return objective(problem, w);
  }

  /* Hands out blocks: in turn, or at random, each worker from a stream of its own. */
  function blockOrder(count, random, drawn) {
    if (drawn) return (worker) => drawn[worker].shift();
    if (!random) {
      let turn = 0;
      return () => turn++ % count;
    }
    const streams = {};
    return (worker) => Math.floor(count * (streams[worker] ??= stream(77 + worker))());
  }

  // -- a run -------------------------------------------------------------------------------------

  /* Follow the schedule; one row per write. `drawn` may give the blocks of every worker's reads. */
  function run({ problem, blocks, policy: wanted, workers, events, updates, drawn = null }) {
    const rule = policy(wanted, largestDelay(events), workers);
    const length = safety(wanted) / problem.smoothness[blocks.length];
    const take = blockOrder(blocks.length, canBeZero(wanted) && workers > 1, drawn);
    const w = problem.q.map(() => 0), held = {}, rows = [], start = objective(problem, w);
    let total = 0, now = 0;
    for (const { time, asks, tells } of events) {
      for (const worker of asks) {
        held[worker] = { block: take(worker), read: rows.length, began: now, total, w: w.slice() };
      }
      now = time;
      for (const worker of tells) {
        const { block, read, began, ...past } = held[worker], update = rows.length, delay = update - read;
        const window = total - past.total, step = rule(delay, window, update);
        write(problem, w, blocks[block], past.w, step * length);
        total += step;
        const value = objective(problem, w);
        rows.push({ update, worker, block, read, began, time, delay, window, step, objective: value });
        if (!(value < 1e6 * start)) return { rows, diverged: true };
        if (rows.length === updates) return { rows, diverged: false };
      }
    }
    return { rows, diverged: false };
  }

  /* Proximal step of a block: the gradient is the read's, the coefficients are the present ones. */
  function write({ Q, q, alpha }, w, block, read, length) {
    const pull = block.map((j) => q[j] - Q[j].reduce((sum, entry, i) => sum + entry * read[i], 0));
    block.forEach((j, at) => (w[j] = soft(w[j] + length * pull[at], length * alpha)));
  }

  return { parse, schedule, largestDelay, optimum, run };
})();

if (typeof module !== "undefined") module.exports = Asynchrony;
