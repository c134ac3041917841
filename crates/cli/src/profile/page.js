// The drawing of a run: what `--profile` writes into its file, and `--dashboard` shows while the run goes on.
'use strict';
let data = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const make = (tag, text, className) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
};

// ---- words ----
const time = us => us < 1000 ? `${Math.round(us)} µs` : us < 1e6 ? `${(us / 1e3).toFixed(us < 1e4 ? 1 : 0)} ms`
  : us < 6e7 ? `${(us / 1e6).toFixed(2)} s` : `${Math.floor(us / 6e7)} min ${Math.round(us % 6e7 / 1e6)} s`;
const bytes = n => { let i = 0; while (n >= 1024 && i < 4) { n /= 1024; i++; }
  return `${i && n < 100 ? n.toFixed(1) : Math.round(n)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][i]}`; };
const count = n => n.toLocaleString('en-US');

// ---- colors: a hue per stage, far from that of the stage before ----
const dark = matchMedia('(prefers-color-scheme: dark)');
const color = stage => `hsl(${(205 + stage * 137.5) % 360} ${dark.matches ? 52 : 48}% ${(dark.matches ? 60 : 50) + (stage % 3) * 5}%)`;

// ---- what is known: a lane of spans for each thread ----
let lanes, whole, view, samples, LANE, GAP;
const SAMPLES = ['at', 'memory', 'spilled', 'read'];
function forget() {
  lanes = []; whole = 1; view = [0, 1];
  samples = { at: [], memory: [], spilled: [], read: [] };
}
// Takes what has happened since: spans and samples come on top, all else is as it is now.
function take(news) {
  data = news;
  const follows = view[0] <= 0 && view[1] >= whole;
  whole = Math.max(data.wall_us, 1);
  if (follows) view = [0, whole];
  while (lanes.length < data.threads.length) lanes.push({ start: [], took: [], stage: [], index: [], tasks: [], busy: [] });
  LANE = lanes.length > 24 ? 10 : 20; GAP = lanes.length > 24 ? 1 : 4;
  const spans = data.spans;
  let at = 0;
  for (let i = 0; i < spans.start.length; i++) {
    at += spans.start[i];
    const lane = lanes[spans.thread[i]];
    lane.start.push(at); lane.took.push(spans.took[i]); lane.stage.push(spans.stage[i]);
    lane.index.push(spans.index[i]); lane.tasks.push(spans.tasks ? spans.tasks[i] : 1);
    lane.busy.push(spans.busy ? spans.busy[i] : spans.took[i]);
  }
  for (const name of SAMPLES) for (const value of data.samples[name]) samples[name].push(value);
  say();
  redraw();
}
// The highest of many: a list may be too long to be spread into arguments.
const highest = (...lists) => lists.reduce((most, list) => list.reduce((a, b) => Math.max(a, b), most), 1);

// ---- all that is words ----
function say() {
  $('command').textContent = data.command;
  $('outcome').textContent = data.outcome;
  $('made').textContent = `Made by dframe ${data.version}.`;
  $('facts').replaceChildren(...data.facts.map(([name, value]) => {
    const fact = make('div', name, 'soft'), strong = make('b', value);
    strong.style.color = 'var(--ink)';
    fact.prepend(strong);
    return fact;
  }));
  const total = data.stages.reduce((sum, stage) => sum + stage.tasks, 0);
  $('hint').textContent = `${count(total)} in ${data.stages.length} ${data.stages.length === 1 ? 'stage' : 'stages'}; scroll to look closer, drag to move, ` +
    'double-click for the whole' + (data.spans.tasks ? '; neighbours of a stage are drawn as one, paler where there are gaps' : '');
  $('legend').replaceChildren(...data.stages.map((stage, i) => marked(color(i), `${stage.position} ${stage.name}`))
    .filter((_, i) => data.stages[i].tasks));
  $('memory-legend').replaceChildren(marked('var(--memory)', 'in use'), marked('var(--spill)', 'written to disk so far'),
    marked('var(--limit)', `the limit, ${bytes(data.memory_limit)}`));
  table('stages', ['stage', 'time', 'tasks', 'rows out', 'bytes out', ''],
    byTime(data.stages.map((stage, i) => ({ ...stage, i }))).map(stage => ({ busy: stage.busy_us, color: color(stage.i),
      cells: [`${stage.position} ${stage.name}`, time(stage.busy_us), count(stage.tasks), count(stage.rows), bytes(stage.bytes)] })));
  table('operators', ['operator', 'time', 'rows', ''],
    byTime(data.operators).map(operator => ({ busy: operator.busy_us, color: 'var(--memory)',
      cells: [operator.name, time(operator.busy_us), count(operator.rows)] })));
}
function marked(color, text) {
  const entry = make('span'), mark = make('i');
  mark.style.background = color;
  entry.append(mark, text);
  return entry;
}
function table(id, heads, rows) {
  const head = make('tr');
  heads.forEach(text => head.append(make('th', text)));
  const longest = highest(rows.map(row => row.busy));
  $(id).replaceChildren(head, ...rows.map(row => {
    const line = make('tr');
    row.cells.forEach(text => line.append(make('td', text)));
    const bar = make('td', undefined, 'bar'), mark = make('i');
    mark.style.width = Math.max(0.5, row.busy / longest * 100) + '%';
    mark.style.background = row.color;
    bar.append(mark); line.append(bar);
    return line;
  }));
}
const byTime = list => list.filter(entry => entry.busy_us || entry.tasks || entry.rows).sort((a, b) => b.busy_us - a.busy_us);

// ---- drawing ----
const LEFT = 74, RIGHT = 10, AXIS = 22;
function prepared(id, height) {
  const canvas = $(id), scale = devicePixelRatio || 1, width = canvas.clientWidth;
  canvas.style.height = height + 'px';
  canvas.width = width * scale; canvas.height = height * scale;
  const pen = canvas.getContext('2d');
  pen.scale(scale, scale);
  pen.font = '11px system-ui, "DejaVu Sans", sans-serif';
  pen.textBaseline = 'middle';
  return [pen, width];
}
const place = (at, width) => LEFT + (at - view[0]) / (view[1] - view[0]) * (width - LEFT - RIGHT);
const moment = (x, width) => view[0] + (x - LEFT) / (width - LEFT - RIGHT) * (view[1] - view[0]);

function axis(pen, width, y) {
  const span = view[1] - view[0];
  const rough = span / Math.max(2, Math.floor((width - LEFT) / 110));
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough);
  pen.fillStyle = css('--soft'); pen.strokeStyle = css('--line'); pen.textAlign = 'center';
  for (let at = Math.ceil(view[0] / step) * step; at <= view[1]; at += step) {
    const x = place(at, width);
    pen.beginPath(); pen.moveTo(x, 0); pen.lineTo(x, y + 4); pen.stroke();
    pen.fillText(time(at), Math.min(x, width - 24), y + 13);
  }
}

function drawStream() {
  const height = lanes.length * (LANE + GAP) + AXIS;
  const [pen, width] = prepared('stream', height);
  const inner = width - LEFT - RIGHT, scale = inner / (view[1] - view[0]);
  axis(pen, width, height - AXIS);
  data.order.forEach((thread, row) => {
    const lane = lanes[thread];
    const y = row * (LANE + GAP);
    pen.fillStyle = css('--lane'); pen.fillRect(LEFT, y, inner, LANE);
    pen.fillStyle = css('--soft'); pen.textAlign = 'right';
    pen.fillText(data.threads[thread], LEFT - 8, y + LANE / 2);
    // What is narrower than a pixel is summed up: the pixel has the color of what took longest in it.
    const pixels = Math.ceil(inner) + 1, sum = new Float64Array(pixels), best = new Float64Array(pixels);
    const whose = new Int32Array(pixels).fill(-1);
    for (let i = 0; i < lane.start.length; i++) {
      const from = lane.start[i], took = lane.took[i];
      if (from > view[1] || from + took < view[0]) continue;
      const x = (from - view[0]) * scale, wide = took * scale;
      if (wide >= 1) {
        const left = Math.max(x, 0), right = Math.min(x + wide, inner);
        pen.fillStyle = color(lane.stage[i]);
        pen.globalAlpha = took ? 0.2 + 0.8 * Math.min(1, lane.busy[i] / took) : 1;
        pen.fillRect(LEFT + left, y, Math.max(right - left - (wide > 4 ? 0.6 : 0), 0.5), LANE);
      } else {
        const pixel = Math.max(0, Math.min(pixels - 1, Math.floor(x)));
        const busy = lane.busy[i] * scale;
        sum[pixel] += busy;
        if (whose[pixel] === lane.stage[i]) best[pixel] += busy;
        else if (busy >= best[pixel]) { best[pixel] = busy; whose[pixel] = lane.stage[i]; }
      }
    }
    for (let pixel = 0; pixel < pixels; pixel++) {
      if (whose[pixel] < 0) continue;
      pen.globalAlpha = Math.min(1, 0.2 + 0.8 * sum[pixel]);
      pen.fillStyle = color(whose[pixel]);
      pen.fillRect(LEFT + pixel, y, 1, LANE);
    }
    pen.globalAlpha = 1;
  });
}

function curve(pen, width, height, most, values, name, filled) {
  const at = samples.at, y = value => height - value / most * (height - 10);
  pen.beginPath();
  let last = 0;
  const x0 = LEFT, x1 = width - RIGHT;
  const points = [[0, values.length ? values[0] : 0], ...at.map((t, i) => [t, values[i]])];
  if (points.length) points.push([whole, points[points.length - 1][1]]);
  points.forEach(([t, value], i) => {
    const x = place(t, width);
    i ? pen.lineTo(x, y(value)) : pen.moveTo(x, y(value));
    last = x;
  });
  pen.save();
  const path = new Path2D(); path.rect(x0, 0, x1 - x0, height + 1);
  pen.clip(path);
  pen.strokeStyle = css(name); pen.lineWidth = 1.5; pen.stroke();
  if (filled) {
    pen.lineTo(last, height); pen.lineTo(place(0, width), height);
    pen.globalAlpha = 0.18; pen.fillStyle = css(name); pen.fill();
  }
  pen.restore();
}

function scaleLabels(pen, height, most) {
  pen.fillStyle = css('--soft'); pen.textAlign = 'right';
  for (const share of [0, 0.5, 1]) pen.fillText(bytes(most * share), LEFT - 8, height - share * (height - 10));
}

function drawMemory() {
  const height = 140, [pen, width] = prepared('memory', height + AXIS), limit = data.memory_limit;
  const top = highest(samples.memory, samples.spilled);
  const most = limit < 4 * top ? Math.max(top, limit) * 1.05 : top * 1.1;
  axis(pen, width, height);
  curve(pen, width, height, most, samples.memory, '--memory', true);
  if (samples.spilled.some(n => n)) curve(pen, width, height, most, samples.spilled, '--spill', false);
  if (limit <= most) {
    const y = height - limit / most * (height - 10);
    pen.strokeStyle = css('--limit'); pen.setLineDash([5, 4]);
    pen.beginPath(); pen.moveTo(LEFT, y); pen.lineTo(width - RIGHT, y); pen.stroke(); pen.setLineDash([]);
  }
  scaleLabels(pen, height, most);
}

function drawRead() {
  const height = 90, [pen, width] = prepared('read', height + AXIS);
  const most = highest(samples.read) * 1.05;
  axis(pen, width, height);
  curve(pen, width, height, most, samples.read, '--read', true);
  scaleLabels(pen, height, most);
}

let waiting = false;
const draw = () => { waiting = false; drawStream(); drawMemory(); drawRead(); };
const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };
addEventListener('resize', redraw);
dark.addEventListener('change', () => { say(); redraw(); });

// ---- looking closer ----
const tip = $('tip');
const lastBefore = (list, at) => { let low = 0, high = list.length;
  while (low < high) { const middle = (low + high) >> 1; list[middle] <= at ? low = middle + 1 : high = middle; }
  return low - 1; };
function words(id, x, y, width) {
  const at = moment(x, width);
  if (x < LEFT || at > whole) return '';
  if (id === 'stream') {
    const lane = lanes[data.order[Math.floor(y / (LANE + GAP))]];
    if (!lane) return '';
    const i = lastBefore(lane.start, at), slack = (view[1] - view[0]) / (width - LEFT - RIGHT);
    if (i < 0 || lane.start[i] + lane.took[i] + slack < at) return '';
    const stage = data.stages[lane.stage[i]] || { name: '' };
    const what = lane.tasks[i] > 1 ? `${count(lane.tasks[i])} pieces of work, busy for ${time(lane.busy[i])}` : `task ${count(lane.index[i])}`;
    return `${stage.position} ${stage.name}\n${what}, ${time(lane.took[i])}, from ${time(lane.start[i])} on`;
  }
  const i = Math.max(0, lastBefore(samples.at, at));
  if (!samples.at.length) return '';
  return id === 'read' ? `${time(at)}: ${bytes(samples.read[i])} read`
    : `${time(at)}: ${bytes(samples.memory[i])} in use, ${bytes(samples.spilled[i])} written`;
}
for (const id of ['stream', 'memory', 'read']) {
  const canvas = $(id);
  let grip = null;
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    const width = canvas.clientWidth, at = moment(event.offsetX, width), factor = Math.exp(event.deltaY * 0.0015);
    const span = Math.min(whole, Math.max(20, (view[1] - view[0]) * factor));
    const start = Math.min(whole - span, Math.max(0, at - (at - view[0]) / (view[1] - view[0]) * span));
    view = [start, start + span];
    redraw();
  }, { passive: false });
  canvas.addEventListener('dblclick', () => { view = [0, whole]; redraw(); });
  canvas.addEventListener('pointerdown', event => { grip = [event.offsetX, view]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener('pointerup', () => { grip = null; });
  canvas.addEventListener('pointermove', event => {
    const width = canvas.clientWidth;
    if (grip) {
      const [from, old] = grip, span = old[1] - old[0];
      const start = Math.min(whole - span, Math.max(0, old[0] - (event.offsetX - from) / (width - LEFT - RIGHT) * span));
      view = [start, start + span];
      redraw();
    }
    const text = words(id, event.offsetX, event.offsetY, width);
    tip.style.display = text ? 'block' : 'none';
    tip.textContent = text;
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + 'px';
    tip.style.top = event.clientY + 16 + 'px';
  });
  canvas.addEventListener('pointerleave', () => { tip.style.display = 'none'; });
}

forget();
take(data);
