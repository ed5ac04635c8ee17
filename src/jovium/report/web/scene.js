// The 3-D view: atoms, cell, isosurface, critical points, thresholds. Each part is redrawn on its own.

const SURFACE_COLOUR = "#3fa7c9";
const ATOM_COLOURS = { H: "#f4f4f4", D: "#e8f0ff", T: "#ffe8e8" };

class Scene {
  constructor(container, data, field, lattice) {
    const look = { backgroundColor: "white", orthographic: true, antialias: true, disableFog: true };
    this.viewer = $3Dmol.createViewer(container, look);
    if (!this.viewer) throw new Error("the browser offers no WebGL");
    this.labels = new Labels(container, this.viewer);
    Object.assign(this, { container, data, field, lattice, cells: 1, parts: new Map() });
    // Sizes follow the mean distance between atoms, so that 1 TPa hydrogen and a gas look alike.
    this.scale = Math.cbrt(Math.abs(lattice.determinant) / data.structure.symbols.length);
    this.surface = { vertices: 0, triangles: 0 };
    this.shown = {};
  }

  // Everything for an n x n x n block of cells, in a view that holds all of it.
  draw(state) {
    this.cells = state.cells;
    this.drawAtoms(state.atoms);
    this.drawCell();
    this.drawSurface(state.isovalue);
    for (const kind of Object.keys(KINDS)) this.drawPoints(kind, state.kinds[kind]);
    this.drawThresholds(state.thresholds);
    this.frame();
  }

  // c upwards, a to the right, seen from slightly above; the block of cells fills the view.
  frame() {
    const [q, centre] = [viewQuaternion(), this.lattice.cartesian([0.5, 0.5, 0.5].map((x) => x * this.cells))];
    const corners = this.lattice.images([0, 0, 0], 1).map((s) => this.lattice.cartesian(scaled(s, this.cells)));
    const seen = corners.map((corner) => rotated(minus(corner, centre), q));
    const [width, height] = [0, 1].map((x) => 1.18 * Math.max(...seen.map((r) => Math.abs(r[x]))));
    const aspect = this.container.clientWidth / this.container.clientHeight;
    const depth = Math.max(width, height * aspect) / Math.tan((FIELD_OF_VIEW * Math.PI) / 180);
    this.viewer.zoomTo(); // sets clipping planes that hold everything
    this.viewer.setView([...scaled(centre, -1), CAMERA_DISTANCE - depth, ...q]);
    this.viewer.render();
  }

  drawSurface(isovalue) {
    const mesh = isosurface(this.field, this.lattice, isovalue);
    const style = { color: SURFACE_COLOUR, opacity: 0.74 }; // 3Dmol multiplies it in twice: 0.55 on the screen
    const shifts = this.lattice.images([0, 0, 0], this.cells).filter((s) => s.every((x) => x < this.cells - 0.5));
    const copies = mesh.faces.length ? shifts.map((s) => translated(mesh, this.lattice.cartesian(s))) : [];
    this.replace("surface", () => copies.map((copy) => this.addMesh(copy, style)));
    this.surface = { vertices: copies.length * mesh.vertices.length, triangles: (copies.length * mesh.faces.length) / 3 };
  }

  drawPoints(kind, visible) {
    const chosen = visible ? this.data.points.filter((point) => point.kind === kind) : [];
    const centres = chosen.flatMap((point) => this.images(point.position));
    const { solid, radius, colour } = KINDS[kind];
    const mesh = solids(solid, centres, radius * this.scale);
    this.replace(kind, () => (centres.length ? [this.addMesh(mesh, { color: colour })] : []));
    this.shown[kind] = centres.length;
  }

  drawThresholds(visible) {
    const places = visible ? this.thresholdPlaces() : [];
    this.replace("thresholds", () =>
      places.map(({ position, colour }) =>
        this.addMesh(solids("sphere", [position], 0.07 * this.scale), { color: colour }),
      ),
    );
    this.labels.set("thresholds", places.map((place) => ({ ...place, offset: [10, -10] })));
    this.shown.thresholds = places.length;
  }

  // Thresholds at one position share one marker and one label.
  thresholdPlaces() {
    const places = [];
    for (const { name, position } of this.data.levels) {
      const { text, colour } = LEVELS[name];
      const same = places.find((place) => norm(minus(place.position, position)) < 0.02 * this.scale);
      if (same) same.text += `, ${text}`;
      else places.push({ position, text, colour });
    }
    return places;
  }

  drawAtoms(visible) {
    this.viewer.removeAllModels();
    const model = this.viewer.addModel();
    const { symbols, positions } = this.data.structure;
    const atoms = positions.flatMap((position, i) =>
      this.images(position).map((r) => ({ elem: symbols[i], ...xyz(r), serial: i, bonds: [], bondOrder: [] })),
    );
    model.addAtoms(visible ? atoms : []);
    for (const symbol of new Set(symbols)) {
      const radius = (ATOM_COLOURS[symbol] ? 0.1 : 0.16) * this.scale;
      const colour = ATOM_COLOURS[symbol];
      model.setStyle({ elem: symbol }, { sphere: colour ? { radius, color: colour } : { radius, colorscheme: "Jmol" } });
    }
    this.shown.atoms = visible ? atoms.length : 0;
  }

  drawCell() {
    const edges = [];
    for (const s of this.lattice.images([0, 0, 0], this.cells)) {
      for (let axis = 0; axis < 3; axis++) {
        const end = [...s];
        end[axis] += 1;
        if (end[axis] < this.cells + 0.5) edges.push([s, end]);
      }
    }
    this.replace("cell", () => [this.cellEdges(edges)]);
    const names = ["a", "b", "c"].map((text, axis) => {
      const s = [0, 0, 0];
      s[axis] = this.cells * 1.1;
      return { text, position: this.lattice.cartesian(s), colour: "#333333", offset: [-4, 0] };
    });
    this.labels.set("cell", names);
  }

  cellEdges(edges) {
    const shape = this.viewer.addShape({ color: "#555555" });
    for (const [start, end] of edges) {
      const [from, to] = [start, end].map((s) => xyz(this.lattice.cartesian(s)));
      shape.addCylinder({ start: from, end: to, radius: 0.012 * this.scale * Math.cbrt(this.cells), fromCap: 1, toCap: 1 });
    }
    return shape;
  }

  images(position) {
    return this.lattice.images(position, this.cells).map((s) => this.lattice.cartesian(s));
  }

  addMesh({ vertices, normals, faces }, style) {
    // 3Dmol keeps the arrays it is given and cuts them up: it gets its own.
    return this.viewer.addCustom({ vertexArr: vertices, normalArr: normals, faceArr: [...faces], ...style });
  }

  replace(part, shapes) {
    for (const shape of this.parts.get(part) ?? []) this.viewer.removeShape(shape);
    this.parts.set(part, shapes());
  }
}

// 3Dmol's own constants: an orthographic view is as wide as the depth times the tangent of this angle (degrees).
const FIELD_OF_VIEW = 20;
const CAMERA_DISTANCE = 150;

// First -25 degrees about z, then -78 about x, as (x, y, z, w).
function viewQuaternion() {
  const [z, x] = [-25, -78].map((angle) => (angle * Math.PI) / 360);
  return [Math.sin(x) * Math.cos(z), -Math.sin(x) * Math.sin(z), Math.cos(x) * Math.sin(z), Math.cos(x) * Math.cos(z)];
}

function rotated(r, [x, y, z, w]) {
  const axis = [x, y, z];
  const turn = scaled(cross(axis, r), 2);
  return plus(plus(r, scaled(turn, w)), cross(axis, turn));
}
