/* Controls and pictures of the interactive page; all that is computed is in simulation.js. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#b8a800"];
  const FIRST_TIMES = [1, 1.2, 0.9, 4, 1.1, 0.8, 1.3, 1];
  const ALARM = "#d55e00", LEFT = 62, RIGHT = 10, TOP = 10;
  const at = (id) => document.getElementById(id);
  let run = null, shown = null, timer = null;

  // -- drawing -----------------------------------------------------------------------------------

  function element(name, attributes, parent, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  /* An empty panel over the time of the run: {svg, x, y, marks}; `marks` holds what follows the scrubbing. */
  function panel(title, height, low, high, ticks, last) {
    const width = Math.max(320, at("panels").clientWidth || 700);
    const caption = document.createElement("p");
    caption.textContent = title;
    at("panels").append(caption);
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, at("panels"));
    const x = (time) => LEFT + (time / last) * (width - LEFT - RIGHT);
    const y = (value) => height - 18 - ((value - low) / (high - low)) * (height - 18 - TOP);
    for (const [value, label] of ticks) {
      element("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), opacity: 0.15 }, svg);
      element("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, svg, label);
    }
    return { svg, x, y, width, height, marks: element("g", {}, svg) };
  }

  function timeline(rows, workers, last) {
    const names = Array.from({ length: workers }, (_, worker) => [worker, `worker ${worker}`]);
    const title = "Every task from its read to its write. The colour is the block; pale: a step of zero";
    const drawn = panel(title, TOP + 28 + 22 * workers, workers - 0.4, -0.6, names, last);
    for (const row of rows) {
      const [x1, x2] = [drawn.x(row.began), drawn.x(row.time)];
      const bar = element("rect", {
        x: x1, width: Math.max(1, x2 - x1 - 1), y: drawn.y(row.worker) - 8, height: 16,
        fill: COLOURS[row.block % COLOURS.length], opacity: row.step > 0 ? 0.75 : 0.25,
      }, drawn.svg);
      bar.addEventListener("click", () => select(row.update));
    }
    drawn.svg.append(drawn.marks);
    return drawn;
  }

  function delays(rows, last) {
    const most = Math.max(1, ...rows.map((row) => row.delay));
    const drawn = panel("Delay: writes between a task's read and its own write", 120, 0, most, ticksTo(most), last);
    for (const { time, delay } of rows) {
      element("line", { x1: drawn.x(time), x2: drawn.x(time), y1: drawn.y(0), y2: drawn.y(delay), opacity: 0.4 }, drawn.svg);
      element("circle", { cx: drawn.x(time), cy: drawn.y(delay), r: 2.5, fill: COLOURS[0] }, drawn.svg);
    }
    return drawn;
  }

  /* Window sum and, on top of it, the step. Where the principle holds, a step ends below the ceiling 1 or is zero. */
  function windows(rows, last) {
    const most = Math.min(4, Math.max(1.2, ...rows.map((row) => row.window + row.step)));
    const title = "Window sum (bar) and step on top of it (dot), in units of γ′. The line is the ceiling. Grey: a step of zero";
    const drawn = panel(title, 150, 0, most, [[0, "0"], [1, "1"], ...(most > 2 ? [[Math.floor(most), `${Math.floor(most)}`]] : [])], last);
    const top = (value) => drawn.y(Math.min(most, value));
    for (const row of rows) {
      const x = drawn.x(row.time), above = isAbove(row);
      const colour = above ? ALARM : row.step > 0 ? COLOURS[2] : COLOURS[6];
      element("rect", { x: x - 1.5, width: 3, y: top(row.window), height: drawn.y(0) - top(row.window), fill: colour, opacity: 0.6 }, drawn.svg);
      const y = top(row.window + row.step);
      if (above) element("path", { d: `M${x - 3.5} ${y - 3.5}l7 7m0 -7l-7 7`, style: `stroke:${ALARM};stroke-width:2` }, drawn.svg);
      else element("circle", { cx: x, cy: y, r: 2.5, fill: colour }, drawn.svg);
    }
    element("line", { x1: LEFT, x2: drawn.width - RIGHT, y1: drawn.y(1), y2: drawn.y(1), "stroke-width": 1.5 }, drawn.svg);
    return drawn;
  }

  function objectives(rows, optimum, last) {
    const logs = rows.map((row) => Math.log10(Math.max(1e-14, row.objective - optimum)));
    const low = Math.floor(Math.min(...logs)), high = Math.max(low + 1, Math.ceil(Math.max(...logs)));
    const by = Math.ceil((high - low) / 5), ticks = [];
    for (let power = low; power <= high; power += by) ticks.push([power, `1e${power}`]);
    const drawn = panel("Objective less its optimum", 150, low, high, ticks, last);
    const points = rows.map((row, k) => `${drawn.x(row.time).toFixed(1)} ${drawn.y(logs[k]).toFixed(1)}`);
    element("path", { d: `M${points.join("L")}`, style: `stroke:${COLOURS[0]};stroke-width:2` }, drawn.svg);
    element("text", { x: drawn.width - RIGHT, y: drawn.height - 2, "text-anchor": "end" }, drawn.svg, "time");
    return drawn;
  }

  const ticksTo = (most) => [...new Set([0, Math.floor(most / 2), most])].map((value) => [value, `${value}`]);
  const isAbove = (row) => row.step > Math.max(0, 1 - row.window) + 1e-9;

  /* What follows the scrubbing: a line through all panels, and in the timeline the writes that make the delay. */
  function mark(row) {
    for (const drawn of run.panels) {
      drawn.marks.replaceChildren();
      const x = drawn.x(row.time);
      element("line", { x1: x, x2: x, y1: TOP - 4, y2: drawn.height - 14, "stroke-dasharray": "3 2" }, drawn.marks);
    }
    const { x, y, marks } = run.panels[0];
    element("rect", {
      x: x(row.began), width: x(row.time) - x(row.began), y: y(row.worker) - 9, height: 18,
      fill: "none", stroke: "currentColor", "stroke-width": 2.5,
    }, marks);
    for (const other of run.rows.slice(row.read, row.update)) {
      element("circle", { cx: x(other.time), cy: y(other.worker), r: 4.5, fill: "currentColor" }, marks);
    }
  }

  // -- controls ----------------------------------------------------------------------------------

  const numbers = (...ids) => ids.map((id) => Number(at(id).value));

  function speeds() {
    const [count] = numbers("workers");
    const kept = [...at("speeds").querySelectorAll("input")].map((input) => input.value);
    at("speeds").innerHTML = "";
    for (let worker = 0; worker < count; worker++) {
      const id = `speed${worker}`, value = kept[worker] ?? FIRST_TIMES[worker];
      at("speeds").insertAdjacentHTML("beforeend", `<p><label for="${id}">Worker ${worker}</label>
        <input type="range" id="${id}" min="0.5" max="10" step="0.1" value="${value}"><output for="${id}"></output></p>`);
    }
  }

  /* As many blocks as features, the finest cut. */
  const blocks = () => (at("blocks").value = at("blocks").max = PROBLEMS[at("data").value].q.length);

  function settings() {
    const problem = PROBLEMS[at("data").value];
    const [alpha, c, count, updates] = numbers("alpha", "c", "blocks", "updates");
    const means = [...at("speeds").querySelectorAll("input")].map((input) => Number(input.value));
    const policy = { name: at("policy").value, alpha, c, formula: at("formula").value };
    const seed = at("random").value === "" ? null : Number(at("random").value);
    const events = Asynchrony.schedule(means, updates, seed);
    return { problem, blocks: problem.blocks[count], policy, workers: means.length, events, updates };
  }

  function compute() {
    for (const part of document.querySelectorAll("#controls [data-for]")) {
      part.hidden = part.dataset.for !== at("policy").value;
    }
    let made, wanted;
    try {
      wanted = settings();
      made = Asynchrony.run(wanted);
    } catch (error) {
      at("problem").textContent = `No run: ${error.message}.`;
      return;
    } finally {
      for (const output of document.querySelectorAll("#controls output")) output.value = at(output.htmlFor[0]).value;
    }
    at("problem").textContent = "";
    show(made, wanted);
  }

  function show({ rows, diverged }, { problem, workers }) {
    const last = rows[rows.length - 1].time, optimum = Asynchrony.optimum(problem);
    at("panels").innerHTML = "";
    run = { rows, optimum, panels: [timeline(rows, workers, last), delays(rows, last), windows(rows, last), objectives(rows, optimum, last)] };
    at("now").max = rows.length - 1;
    at("summary").textContent = summary(rows, diverged, optimum);
    at("table").innerHTML = rows.map((row) => `<tr>${cells(row).map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("");
    select(Math.min(shown ?? 30, rows.length - 1));
  }

  function summary(rows, diverged, optimum) {
    const list = rows.map((row) => row.delay), mean = list.reduce((a, b) => a + b) / list.length;
    const zeros = rows.filter((row) => row.step === 0).length, end = rows[rows.length - 1].objective - optimum;
    return `${rows.length} writes: mean delay ${mean.toFixed(2)}, largest ${Math.max(...list)}; steps of zero ${zeros}; ` +
      `steps above the ceiling ${rows.filter(isAbove).length}; objective less its optimum at the end ${end.toExponential(2)}` +
      (diverged ? ". The run diverged." : ".");
  }

  const cells = (row) => [
    row.update, row.time.toFixed(2), row.worker, row.block, row.read ? row.read - 1 : "none", row.delay,
    row.window.toFixed(3), row.step.toFixed(3), row.objective.toPrecision(6),
  ];

  function select(update) {
    shown = update;
    const row = run.rows[update], left = Math.max(0, 1 - row.window);
    at("now").value = update;
    at("now").setAttribute("aria-valuetext", `write ${update}, time ${row.time.toFixed(2)}, delay ${row.delay}`);
    const since = row.read ? `after write ${row.read - 1}` : "before the first write";
    at("reading").textContent =
      `Write ${update}, at time ${row.time.toFixed(2)}: worker ${row.worker} had read ${since}, so its delay is ${row.delay}. ` +
      `The steps since then sum to ${row.window.toFixed(3)} of 1, which leaves ${left.toFixed(3)}; its step is ${row.step.toFixed(3)}. ` +
      `The objective is ${(row.objective - run.optimum).toExponential(2)} above its optimum.`;
    mark(row);
  }

  function play(on) {
    clearInterval(timer);
    timer = on ? setInterval(step, 250) : null;
    at("play").textContent = on ? "Pause" : "Play";
    at("play").setAttribute("aria-pressed", on);
    // A screen reader that is told of four writes a second can tell of none.
    at("reading").setAttribute("aria-live", on ? "off" : "polite");
  }

  function step() {
    if (shown + 1 < run.rows.length) select(shown + 1);
    else play(false);
  }

  at("data").innerHTML = Object.keys(PROBLEMS).map((title) => `<option>${title}</option>`).join("");
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("controls").addEventListener("input", (event) => {
    if (event.target.id === "workers") speeds();
    if (event.target.id === "data") blocks();
    compute();
  });
  at("equal").addEventListener("click", () => {
    for (const input of at("speeds").querySelectorAll("input")) input.value = 1;
    compute();
  });
  at("now").addEventListener("input", (event) => select(Number(event.target.value)));
  at("play").addEventListener("click", () => {
    if (timer === null && shown === run.rows.length - 1) select(0);
    play(timer === null);
  });
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(at("panels").clientWidth - width) < 2) return;
    width = at("panels").clientWidth;
    compute();
  }).observe(at("panels"));
  speeds();
  blocks();
  compute();
});
