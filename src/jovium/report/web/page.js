// The controls: one state, one redraw per frame of whatever the change touches.

const data = JSON.parse(document.getElementById("jovium-data").textContent);
const lattice = new Lattice(data.structure.cell);
const field = new Field(data.grid);
const byId = (id) => document.getElementById(id);
const networking = data.levels.find(({ name }) => name === "phi_3d") ?? data.levels[0];

const state = {
  isovalue: networking ? networking.value : 0.5,
  cells: Number(document.querySelector("input[name=cells]:checked").value),
  atoms: true,
  thresholds: true,
  kinds: { maximum: false, bond: true, ring: false, cage: false, path: false },
  slice: { axis: 2, position: 0 },
};

const SNAP = 0.008; // a dragged slider this close to a threshold lands on it
const pending = new Set();
let scene = null;
let redraws = 0;

function redraw(...parts) {
  if (!pending.size) requestAnimationFrame(paintPending);
  parts.forEach((part) => pending.add(part));
}

function paintPending() {
  const parts = new Set(pending);
  pending.clear();
  if (scene && parts.has("scene")) scene.draw(state);
  else if (scene) {
    if (parts.has("surface")) scene.drawSurface(state.isovalue);
    if (parts.has("atoms")) scene.drawAtoms(state.atoms);
    if (parts.has("thresholds")) scene.drawThresholds(state.thresholds);
    for (const kind of Object.keys(KINDS)) if (parts.has(kind)) scene.drawPoints(kind, state.kinds[kind]);
    scene.viewer.render();
  }
  if (parts.has("slice")) slice.draw({ ...state.slice, isovalue: state.isovalue });
  if (parts.has("profile")) drawProfile();
  redraws += 1;
}

function setIsovalue(value) {
  state.isovalue = value;
  byId("isovalue").value = value;
  byId("isovalue-text").textContent = value.toFixed(4);
  document.querySelectorAll("#levels button").forEach((button) => {
    button.setAttribute("aria-pressed", String(Number(button.dataset.value) === value));
  });
  redraw("surface", "slice");
}

function connectIsovalue() {
  const slider = byId("isovalue");
  let dragging = false;
  slider.addEventListener("pointerdown", () => (dragging = true));
  window.addEventListener("pointerup", () => (dragging = false));
  slider.addEventListener("input", () => {
    const value = Number(slider.value);
    // Arrow keys are not caught by a threshold: they could not leave it again.
    const near = dragging && data.levels.find((level) => Math.abs(level.value - value) < SNAP);
    setIsovalue(near ? near.value : value);
  });
  for (const { name, value } of data.levels) {
    const { html, colour } = LEVELS[name];
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.level = name;
    button.dataset.value = value;
    button.style.setProperty("--colour", colour);
    button.innerHTML = `${html} = ${value.toFixed(3)}`;
    button.addEventListener("click", () => setIsovalue(value));
    byId("levels").append(button);
    const mark = document.createElement("span");
    mark.title = namesAt(value);
    mark.style.setProperty("--at", Math.min(Math.max(value, 0), 1));
    mark.style.setProperty("--colour", colour);
    byId("marks").append(mark);
  }
}

// The thresholds whose marks cover each other on the slider, as one sentence.
function namesAt(value) {
  const hidden = data.levels.filter((level) => Math.abs(level.value - value) < SNAP);
  return `${hidden.map(({ name }) => LEVELS[name].text).join(", ")} = ${value.toFixed(4)}`;
}

function connectPoints() {
  for (const [kind, { label }] of Object.entries(KINDS)) {
    const count = data.points.filter((point) => point.kind === kind).length;
    byId("kinds").append(checkbox(`show-${kind}`, `${legendIcon(kind)} ${label} (${count})`, state.kinds[kind], (on) => {
      state.kinds[kind] = on;
      redraw(kind);
    }));
  }
  byId("kinds").append(checkbox("show-thresholds", "positions of φ", state.thresholds, (on) => {
    state.thresholds = on;
    redraw("thresholds");
  }));
  byId("kinds").append(checkbox("show-atoms", "atoms", state.atoms, (on) => {
    state.atoms = on;
    redraw("atoms");
  }));
}

function checkbox(id, html, checked, change) {
  const label = document.createElement("label");
  label.innerHTML = `<input type="checkbox" id="${id}"> ${html}`;
  const input = label.querySelector("input");
  input.checked = checked;
  input.addEventListener("change", () => change(input.checked));
  return label;
}

function connectView() {
  document.querySelectorAll("input[name=cells]").forEach((input) =>
    input.addEventListener("change", () => {
      state.cells = Number(input.value);
      redraw("scene");
    }),
  );
  byId("reset-view").addEventListener("click", () => scene && scene.frame());
  byId("view").addEventListener("keydown", (event) => {
    const turn = { ArrowLeft: [-10, "y"], ArrowRight: [10, "y"], ArrowUp: [-10, "x"], ArrowDown: [10, "x"] }[event.key];
    const zoom = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 }[event.key];
    if (!scene || !(turn || zoom)) return;
    event.preventDefault();
    if (turn) scene.viewer.rotate(...turn);
    else scene.viewer.zoom(zoom);
    scene.viewer.render();
  });
}

function connectSlice() {
  const [axis, position] = [byId("slice-axis"), byId("slice-position")];
  // The first picture goes through the networking saddle.
  if (networking) state.slice.position = Math.max(lattice.fractional(networking.position)[state.slice.axis], 0);
  const show = () => {
    const thickness = Math.abs(lattice.determinant) / norm(cross(...lattice.vectors.filter((_, i) => i !== state.slice.axis)));
    const height = (state.slice.position * thickness).toFixed(3);
    byId("slice-text").textContent = `${state.slice.position.toFixed(3)} of ${"abc"[state.slice.axis]}, ${height} Å above the cell face`;
  };
  const change = () => {
    state.slice = { axis: Number(axis.value), position: Number(position.value) };
    show();
    redraw("slice");
  };
  axis.value = state.slice.axis;
  position.value = state.slice.position;
  axis.addEventListener("change", change);
  position.addEventListener("input", change);
  show();
}

function connectProfile() {
  const names = data.structure.symbols.map((symbol, i) => `${symbol} ${i + 1}`);
  const selects = [byId("profile-from"), byId("profile-to")];
  for (const select of selects) {
    names.forEach((name, i) => select.add(new Option(name, i)));
    select.addEventListener("change", () => redraw("profile"));
  }
  const distances = data.structure.positions.map((r) => lattice.nearestImage(data.structure.positions[0], r)?.length);
  selects[1].value = distances.indexOf(Math.min(...distances.filter((length) => length !== undefined)));
}

function drawProfile() {
  const [from, to] = [byId("profile-from"), byId("profile-to")].map((select) => Number(select.value));
  const names = [from, to].map((i) => byId("profile-from").options[i].text.replace(/[<>&"]/g, ""));
  const profile = profileBetween(data, field, lattice, from, to);
  const width = Math.max(byId("profile").clientWidth, 280);
  byId("profile").innerHTML = profile ? profileSvg(profile, names, data.levels, width) : "";
  byId("profile-text").textContent = profile ? `distance ${profile.length.toFixed(4)} Å` : "";
}

function connectDownloads() {
  const base = data.analysis.name.replace(/[^\w.+-]+/g, "_") || "structure";
  const click = (id, action) => byId(id).addEventListener("click", action);
  click("save-json", () => saveAs(`${base}.json`, `${JSON.stringify(data.analysis, null, 2)}\n`, "application/json"));
  click("save-cube", () => saveAs(`${base}.cube`, cubeText(data, field), "text/plain"));
  click("save-xyz", () => saveAs(`${base}.extxyz`, extendedXyz(data), "text/plain"));
}

const slice = new Slice(byId("slice"), data, field, lattice);
connectIsovalue();
connectPoints();
connectView();
connectSlice();
connectProfile();
connectDownloads();
try {
  scene = new Scene(byId("view"), data, field, lattice);
} catch (error) {
  byId("view").textContent = `No 3-D view: ${error.message}. Slices, profiles and tables below still work.`;
}
setIsovalue(state.isovalue);
redraw("scene", "slice", "profile");
window.addEventListener("resize", () => {
  if (scene) scene.viewer.resize();
  redraw("slice", "profile");
});

// What the browser tests look at.
window.jovium = {
  get isovalue() { return state.isovalue; },
  get surface() { return scene && scene.surface; },
  get shown() { return scene && { ...scene.shown }; },
  get cells() { return state.cells; },
  get redraws() { return redraws; },
  get idle() { return pending.size === 0; },
  surfaceMesh: (isovalue) => isosurface(field, lattice, isovalue),
  elf: (position) => field.value(lattice.fractional(position)),
};
