// The periodic ELF grid and the geometry of its cell. Positions in angstrom, lattice vectors in rows, s fractional.

class Lattice {
  constructor(vectors) {
    this.vectors = vectors;
    const [a, b, c] = vectors;
    this.determinant = dot(a, cross(b, c));
    // Column i of the inverse is the reciprocal vector of lattice vector i, so that s = r . inverse.
    this.dual = [cross(b, c), cross(c, a), cross(a, b)].map((v) => scaled(v, 1 / this.determinant));
  }

  cartesian(s) {
    return [0, 1, 2].map((x) => s[0] * this.vectors[0][x] + s[1] * this.vectors[1][x] + s[2] * this.vectors[2][x]);
  }

  fractional(r) {
    return this.dual.map((d) => dot(r, d));
  }

  // The shortest vector from p to an image of q that is not p itself. Two cells either way suffice for any cell
  // whose angles a person would still call a cell; the wrapped difference is searched around.
  nearestImage(p, q) {
    const s = this.fractional(minus(q, p)).map((x) => x - Math.round(x));
    let best = null;
    for (let i = -2; i <= 2; i++) {
      for (let j = -2; j <= 2; j++) {
        for (let k = -2; k <= 2; k++) {
          const d = this.cartesian([s[0] + i, s[1] + j, s[2] + k]);
          const length = norm(d);
          if (length > 1e-4 && (best === null || length < best.length)) best = { vector: d, length };
        }
      }
    }
    return best;
  }

  // Fractional positions of the images of r inside an n x n x n block of cells; a point on a face of the block is
  // shown on the opposite face too, as the surface is.
  images(r, n) {
    const choices = this.fractional(r).map((x) => {
      const base = x - Math.floor(x + 1e-6);
      const list = Array.from({ length: n }, (_, i) => base + i);
      return base < 1e-3 ? [...list, base + n] : list;
    });
    return choices[0].flatMap((x) => choices[1].flatMap((y) => choices[2].map((z) => [x, y, z])));
  }
}

class Field {
  constructor({ shape, data, levels }) {
    this.shape = shape;
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const words = new DataView(bytes.buffer);
    this.values = new Float32Array(shape[0] * shape[1] * shape[2]);
    for (let i = 0; i < this.values.length; i++) this.values[i] = words.getUint16(2 * i, true) / levels;
  }

  // Value at grid point (i, j, k), any integers.
  at(i, j, k) {
    const [nx, ny, nz] = this.shape;
    return this.values[(modulo(i, nx) * ny + modulo(j, ny)) * nz + modulo(k, nz)];
  }

  // At fractional s by Catmull-Rom cubics along each axis: through the grid values and without kinks between them.
  value(s) {
    const [x, y, z] = s.map((component, axis) => cubicNodes(component * this.shape[axis], this.shape[axis]));
    const [, ny, nz] = this.shape;
    let sum = 0;
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 4; j++) {
        const row = (x.at[i] * ny + y.at[j]) * nz;
        const along = z.weight.reduce((total, weight, k) => total + weight * this.values[row + z.at[k]], 0);
        sum += x.weight[i] * y.weight[j] * along;
      }
    }
    return sum;
  }
}

// The four grid points around x on a periodic axis of n points, and their weights.
function cubicNodes(x, n) {
  const first = Math.floor(x);
  const t = x - first;
  const weight = [
    0.5 * t * (t * (2 - t) - 1),
    0.5 * (t * t * (3 * t - 5) + 2),
    0.5 * t * (t * (4 - 3 * t) + 1),
    0.5 * t * t * (t - 1),
  ];
  return { at: [-1, 0, 1, 2].map((step) => modulo(first + step, n)), weight };
}

function modulo(i, n) {
  return ((i % n) + n) % n;
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function plus(a, b) {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

function minus(a, b) {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

function scaled(a, factor) {
  return a.map((x) => x * factor);
}

function norm(a) {
  return Math.sqrt(dot(a, a));
}

function xyz(a) {
  return { x: a[0], y: a[1], z: a[2] };
}
