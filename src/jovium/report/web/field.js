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

  // Trilinear interpolation at fractional s.
  value(s) {
    const x = s.map((component, axis) => component * this.shape[axis]);
    const [i, j, k] = x.map(Math.floor);
    const [u, v, w] = [x[0] - i, x[1] - j, x[2] - k];
    const along = (di, dj) => (1 - w) * this.at(i + di, j + dj, k) + w * this.at(i + di, j + dj, k + 1);
    return (1 - u) * ((1 - v) * along(0, 0) + v * along(0, 1)) + u * ((1 - v) * along(1, 0) + v * along(1, 1));
  }
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
