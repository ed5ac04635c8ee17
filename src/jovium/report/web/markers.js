// Names, colours and shapes of critical points and thresholds: one table for the view, the legend and the plots.
// Radii are in units of the mean distance between atoms.

const KINDS = {
  // Maxima sit on nuclei: a little larger than an atom, or they would hide inside it.
  maximum: { label: "maxima", colour: "#7b2cbf", solid: "sphere", radius: 0.115 },
  bond: { label: "bonds", colour: "#1b7f3b", solid: "cube", radius: 0.05 },
  ring: { label: "rings", colour: "#d9730d", solid: "octahedron", radius: 0.06 },
  cage: { label: "cages", colour: "#455a64", solid: "tetrahedron", radius: 0.06 },
  path: { label: "path", colour: "#111111", solid: "cube", radius: 0.018 },
};

const LEVELS = {
  phi_1d: { text: "φ 1D", html: "φ<sub>1D</sub>", colour: "#1f5fbf" },
  phi_2d: { text: "φ 2D", html: "φ<sub>2D</sub>", colour: "#0a8f8f" },
  phi_3d: { text: "φ 3D", html: "φ<sub>3D</sub>", colour: "#c2185b" },
  phi_star: { text: "φ*", html: "φ*", colour: "#8a6d00" },
};

// Convex solids inscribed in the unit sphere, as flat faces (lists of corners).
const SOLIDS = {
  cube: [0, 1, 2].flatMap((axis) => [-1, 1].map((side) => cubeFace(axis, side))),
  octahedron: [-1, 1].flatMap((x) => [-1, 1].flatMap((y) => [-1, 1].map((z) => [[x, 0, 0], [0, y, 0], [0, 0, z]]))),
  tetrahedron: tetrahedronFaces(),
  sphere: sphereFaces(10, 6),
};

function cubeFace(axis, side) {
  const ring = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
  return ring.map(([u, v]) => {
    const corner = [0, 0, 0];
    corner[axis] = side;
    corner[(axis + 1) % 3] = u;
    corner[(axis + 2) % 3] = v;
    return scaled(corner, 0.8);
  });
}

function tetrahedronFaces() {
  const corners = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]].map((corner) => scaled(corner, 0.75));
  return corners.map((_, left) => corners.filter((__, i) => i !== left));
}

function sphereFaces(around, down) {
  const point = (i, j) => {
    const [theta, phi] = [(Math.PI * j) / down, (2 * Math.PI * i) / around];
    return [Math.sin(theta) * Math.cos(phi), Math.sin(theta) * Math.sin(phi), Math.cos(theta)];
  };
  const faces = [];
  for (let i = 0; i < around; i++) {
    for (let j = 0; j < down; j++) {
      const quad = [point(i, j), point(i, j + 1), point(i + 1, j + 1), point(i + 1, j)];
      faces.push(j === 0 ? quad.slice(0, 3) : j === down - 1 ? [quad[0], quad[1], quad[3]] : quad);
    }
  }
  return faces;
}

// One mesh with a solid of the given radius at every centre; faces are wound and lit to face outwards.
function solids(name, centres, radius) {
  const mesh = { vertices: [], normals: [], faces: [] };
  for (const centre of centres) {
    for (const face of SOLIDS[name]) {
      const middle = face.reduce(plus).map((x) => x / face.length);
      const turn = cross(minus(face[1], face[0]), minus(face[2], face[0]));
      const outwards = dot(turn, middle) > 0 ? face : [...face].reverse();
      const base = mesh.vertices.length;
      for (const corner of outwards) {
        mesh.vertices.push(xyz(plus(centre, scaled(corner, radius))));
        mesh.normals.push(xyz(name === "sphere" ? corner : scaled(middle, 1 / norm(middle))));
      }
      for (let i = 2; i < outwards.length; i++) mesh.faces.push(base, base + i - 1, base + i);
    }
  }
  return mesh;
}

// The legend's picture of a kind, as inline SVG.
function legendIcon(kind) {
  const { colour, solid } = KINDS[kind];
  const outline = {
    sphere: '<circle cx="8" cy="8" r="6"/>',
    cube: '<rect x="2.5" y="2.5" width="11" height="11"/>',
    octahedron: '<path d="M8 1 15 8 8 15 1 8Z"/>',
    tetrahedron: '<path d="M8 1.5 15 14 1 14Z"/>',
  }[solid];
  return `<svg width="16" height="16" viewBox="0 0 16 16" fill="${colour}" aria-hidden="true">${outline}</svg>`;
}
