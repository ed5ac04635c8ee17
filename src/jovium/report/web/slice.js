// A plane through the cell on a canvas: the ELF in colour, the contour at the isovalue, atoms near the plane.

// Viridis at equal steps (Smith and van der Walt, matplotlib, CC0): monotonic in lightness, readable in grey.
const VIRIDIS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99],
  [170, 220, 50], [253, 231, 37],
];

function viridis(value) {
  const x = Math.min(Math.max(value, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(x), VIRIDIS.length - 2);
  return VIRIDIS[low].map((start, i) => Math.round(start + (x - low) * (VIRIDIS[low + 1][i] - start)));
}

class Slice {
  constructor(canvas, data, field, lattice) {
    Object.assign(this, { canvas, data, field, lattice });
  }

  // axis: the lattice direction held fixed at fractional `position`; contour lines at `isovalue`.
  draw({ axis, position, isovalue }) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.canvas.clientWidth || 520, this.canvas.clientHeight || 420];
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.pen = this.canvas.getContext("2d");
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.pen.fillStyle = "white";
    this.pen.fillRect(0, 0, width, height);
    this.plane = this.planeOf(axis, position, { left: 62, top: 24, right: width - 92, bottom: height - 48 });
    this.paint(isovalue, ratio);
    this.outline();
    this.markAtoms();
    this.drawAxes();
    this.drawColourBar(isovalue, width - 64, 24, height - 72);
  }

  // In the plane x runs along its first vector and y at a right angle to it: distances on the picture are distances.
  planeOf(axis, position, box) {
    const [first, second] = [0, 1, 2].filter((other) => other !== axis);
    const [u, v] = [this.lattice.vectors[first], this.lattice.vectors[second]];
    const length = norm(u);
    const along = dot(v, u) / length;
    const across = Math.sqrt(Math.max(dot(v, v) - along * along, 0));
    const xs = [0, length, along, length + along];
    const [xMin, xMax] = [Math.min(...xs), Math.max(...xs)];
    const scale = Math.min((box.right - box.left) / (xMax - xMin), (box.bottom - box.top) / across);
    const right = box.left + (xMax - xMin) * scale;
    const toPixel = (x, y) => [box.left + (x - xMin) * scale, box.bottom - y * scale];
    const toFractional = (px, py) => {
      const [x, y] = [xMin + (px - box.left) / scale, (box.bottom - py) / scale];
      return [(x - (y / across) * along) / length, y / across];
    };
    return { axis, first, second, position, length, along, across, xMin, xMax, scale, box, right, toPixel, toFractional };
  }

  paint(isovalue, ratio) {
    const { box, right, across, scale } = this.plane;
    const [columns, rows] = [Math.ceil((right - box.left) * ratio), Math.ceil(across * scale * ratio)];
    const top = box.bottom - across * scale;
    const values = this.sample(columns, rows, top, ratio);
    const image = this.pen.createImageData(columns, rows);
    const contour = isovalue > 0.5 ? [20, 20, 20] : [255, 255, 255]; // stands out from the colours around it
    for (let p = 0; p < values.length; p++) {
      if (Number.isNaN(values[p])) continue;
      const neighbours = [p + 1, p - 1, p + columns, p - columns];
      const crossed = neighbours.some((q) => (values[p] - isovalue) * (values[q] - isovalue) < 0);
      image.data.set([...(crossed ? contour : viridis(values[p])), 255], 4 * p);
    }
    this.pen.putImageData(image, Math.round(box.left * ratio), Math.round(top * ratio));
  }

  sample(columns, rows, top, ratio) {
    const { axis, first, second, position, box, toFractional } = this.plane;
    const values = new Float32Array(columns * rows).fill(NaN);
    const s = [0, 0, 0];
    s[axis] = position;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        [s[first], s[second]] = toFractional(box.left + (column + 0.5) / ratio, top + (row + 0.5) / ratio);
        if (s[first] >= 0 && s[first] <= 1 && s[second] >= 0 && s[second] <= 1) {
          values[row * columns + column] = this.field.value(s);
        }
      }
    }
    return values;
  }

  outline() {
    const { toPixel, length, along, across } = this.plane;
    const corners = [[0, 0], [length, 0], [length + along, across], [along, across]].map(([x, y]) => toPixel(x, y));
    this.pen.strokeStyle = "#333";
    this.pen.beginPath();
    corners.forEach(([x, y], i) => (i ? this.pen.lineTo(x, y) : this.pen.moveTo(x, y)));
    this.pen.closePath();
    this.pen.stroke();
  }

  // A circle for every atom within a twentieth of the cell's thickness of the plane.
  markAtoms() {
    const { axis, first, second, position, toPixel, length, along, across } = this.plane;
    this.pen.lineWidth = 1.5;
    for (const r of this.data.structure.positions) {
      for (const s of this.lattice.images(r, 1)) {
        if (Math.abs(s[axis] - position) > 0.05) continue;
        const [x, y] = toPixel(s[first] * length + s[second] * along, s[second] * across);
        this.pen.beginPath();
        this.pen.arc(x, y, 4, 0, 2 * Math.PI);
        this.pen.fillStyle = "white";
        this.pen.fill();
        this.pen.strokeStyle = "#c00";
        this.pen.stroke();
      }
    }
    this.pen.lineWidth = 1;
  }

  drawAxes() {
    const { box, right, xMin, xMax, across, toPixel, first } = this.plane;
    const name = "abc"[first];
    this.pen.fillStyle = "#222";
    this.pen.font = "12px system-ui, sans-serif";
    this.pen.textAlign = "center";
    for (const x of ticks(xMin, xMax)) {
      const [px] = toPixel(x, 0);
      this.pen.fillRect(px, box.bottom, 1, 5);
      this.pen.fillText(tickText(x), px, box.bottom + 17);
    }
    this.pen.fillText(`distance along ${name} (Å)`, (box.left + right) / 2, box.bottom + 36);
    this.pen.textAlign = "right";
    for (const y of ticks(0, across)) {
      const [, py] = toPixel(0, y);
      this.pen.fillRect(box.left - 5, py, 5, 1);
      this.pen.fillText(tickText(y), box.left - 8, py + 4);
    }
    this.turnedText(`distance across ${name} (Å)`, 16, box.bottom - (across * this.plane.scale) / 2);
  }

  turnedText(text, x, y) {
    this.pen.save();
    this.pen.translate(x, y);
    this.pen.rotate(-Math.PI / 2);
    this.pen.textAlign = "center";
    this.pen.fillText(text, 0, 0);
    this.pen.restore();
  }

  drawColourBar(isovalue, x, top, height) {
    for (let row = 0; row < height; row++) {
      this.pen.fillStyle = `rgb(${viridis(1 - row / height)})`;
      this.pen.fillRect(x, top + row, 14, 1.5);
    }
    this.pen.fillStyle = "#222";
    this.pen.textAlign = "left";
    for (const value of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      this.pen.fillText(value.toFixed(1), x + 19, top + (1 - value) * height + 4);
    }
    this.pen.textAlign = "center";
    this.pen.fillText("ELF", x + 7, top - 9);
    const y = top + (1 - isovalue) * height;
    this.pen.beginPath();
    this.pen.moveTo(x - 1, y);
    this.pen.lineTo(x - 9, y - 5);
    this.pen.lineTo(x - 9, y + 5);
    this.pen.fill();
  }
}

// About five round numbers from `low` to `high`.
function ticks(low, high) {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

function tickText(value) {
  return String(Number(value.toFixed(6)));
}
