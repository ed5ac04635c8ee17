// Isosurfaces by marching cubes with linear interpolation along the grid edges.
//
// 3Dmol's own isosurface puts every vertex in the middle of its edge, so its surface does not move between grid
// points. The table is computed instead of typed: on every face of the cube each run of high corners is cut off by
// itself, which is the 6-neighbour connectivity the thresholds are defined with, and neighbours agree on shared faces.

// Corner c has the offsets (c & 1, c >> 1 & 1, c >> 2 & 1); edge e = 4 * axis + n joins corners EDGES[e].
const EDGES = [0, 1, 2].flatMap((axis) =>
  [0, 1, 2, 3, 4, 5, 6, 7].filter((c) => !(c & (1 << axis))).map((c) => ({ axis, low: c, high: c | (1 << axis) })),
);

const EDGE_BETWEEN = new Map(EDGES.flatMap(({ low, high }, e) => [[8 * low + high, e], [8 * high + low, e]]));

// The four corners of each face, counter-clockwise seen from outside the cube.
const FACES = [0, 1, 2].flatMap((axis) => {
  const [b, c] = [1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3)];
  const ring = [0, b, b | c, c];
  return [[...ring].reverse(), ring.map((corner) => corner | (1 << axis))];
});

// For each of the 256 sets of high corners, the triangles as triples of edges, wound so that they face low values.
const TRIANGLES = Array.from({ length: 256 }, (_, high) => fan(contours(high)));

function contours(high) {
  const next = new Map();
  for (const face of FACES) {
    const crossings = [];
    for (let k = 0; k < 4; k++) {
      const [p, q] = [face[k], face[(k + 1) % 4]];
      const [pHigh, qHigh] = [(high >> p) & 1, (high >> q) & 1];
      if (pHigh !== qHigh) crossings.push({ edge: EDGE_BETWEEN.get(8 * p + q), enters: qHigh === 1 });
    }
    crossings.forEach(({ edge, enters }, k) => {
      if (enters) next.set(edge, crossings[(k + 1) % crossings.length].edge);
    });
  }
  const loops = [];
  while (next.size) {
    const loop = [];
    for (let edge = next.keys().next().value; next.has(edge); ) {
      loop.push(edge);
      const following = next.get(edge);
      next.delete(edge);
      edge = following;
    }
    loops.push(loop);
  }
  return loops;
}

function fan(loops) {
  return loops.flatMap((loop) => loop.slice(2).flatMap((edge, i) => [loop[0], loop[i + 1], edge]));
}

// The surface field = isovalue in one cell, closed up to all six cell faces: vertices, unit normals (towards low
// values) and faces as 3Dmol takes them.
function isosurface(field, lattice, isovalue) {
  const [nx, ny, nz] = field.shape;
  const points = [nx + 1, ny + 1, nz + 1];
  const mesh = { vertices: [], normals: [], faces: [] };
  const known = new Int32Array(3 * points[0] * points[1] * points[2]).fill(-1);
  const corner = new Float32Array(8);
  for (let i = 0; i < nx; i++) {
    for (let j = 0; j < ny; j++) {
      for (let k = 0; k < nz; k++) {
        let high = 0;
        for (let c = 0; c < 8; c++) {
          corner[c] = field.at(i + (c & 1), j + ((c >> 1) & 1), k + (c >> 2));
          if (corner[c] >= isovalue) high |= 1 << c;
        }
        if (high === 0 || high === 255) continue;
        for (const e of TRIANGLES[high]) {
          const { axis, low, high: top } = EDGES[e];
          const start = [i + (low & 1), j + ((low >> 1) & 1), k + (low >> 2)];
          const slot = 3 * ((start[0] * points[1] + start[1]) * points[2] + start[2]) + axis;
          if (known[slot] < 0) {
            const along = (isovalue - corner[low]) / (corner[top] - corner[low]);
            known[slot] = addVertex(mesh, field, lattice, start, axis, along);
          }
          mesh.faces.push(known[slot]);
        }
      }
    }
  }
  // A left-handed cell mirrors the triangles.
  if (lattice.determinant < 0) mirror(mesh.faces);
  return mesh;
}

function addVertex(mesh, field, lattice, start, axis, along) {
  const end = [...start];
  end[axis] += 1;
  const slopes = [gridSlope(field, start), gridSlope(field, end)];
  const slope = [0, 1, 2].map((x) => (1 - along) * slopes[0][x] + along * slopes[1][x]);
  const gradient = [0, 1, 2].map((x) => slope.reduce((sum, part, i) => sum + part * lattice.dual[i][x], 0));
  const length = norm(gradient) || 1;
  const s = start.map((index, x) => (index + (x === axis ? along : 0)) / field.shape[x]);
  mesh.vertices.push(xyz(lattice.cartesian(s)));
  mesh.normals.push(xyz(scaled(gradient, -1 / length)));
  return mesh.vertices.length - 1;
}

// Derivatives along the fractional coordinates at a grid point, by central differences.
function gridSlope(field, [i, j, k]) {
  return [
    (field.at(i + 1, j, k) - field.at(i - 1, j, k)) * 0.5 * field.shape[0],
    (field.at(i, j + 1, k) - field.at(i, j - 1, k)) * 0.5 * field.shape[1],
    (field.at(i, j, k + 1) - field.at(i, j, k - 1)) * 0.5 * field.shape[2],
  ];
}

function mirror(faces) {
  for (let f = 0; f + 2 < faces.length; f += 3) [faces[f + 1], faces[f + 2]] = [faces[f + 2], faces[f + 1]];
}

// The same mesh moved by a Cartesian vector.
function translated(mesh, [dx, dy, dz]) {
  return { ...mesh, vertices: mesh.vertices.map(({ x, y, z }) => ({ x: x + dx, y: y + dy, z: z + dz })) };
}
