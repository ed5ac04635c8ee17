// The ELF along the straight line from one atom to the nearest image of another, as SVG.

const PROFILE = { height: 400, left: 58, right: 78, top: 18, bottom: 48, samples: 240 };

// The line and its values; null when the two atoms coincide.
function profileBetween(data, field, lattice, from, to) {
  const start = data.structure.positions[from];
  const nearest = lattice.nearestImage(start, data.structure.positions[to]);
  if (!nearest) return null;
  const values = Array.from({ length: PROFILE.samples + 1 }, (_, i) => {
    const r = plus(start, scaled(nearest.vector, i / PROFILE.samples));
    return { distance: (nearest.length * i) / PROFILE.samples, elf: field.value(lattice.fractional(r)) };
  });
  return { length: nearest.length, values };
}

// Drawn `width` pixels wide, so that its text has the size of the page's.
function profileSvg(profile, names, levels, width) {
  const { height, left, right, top, bottom } = PROFILE;
  const x = (distance) => left + ((width - left - right) * distance) / profile.length;
  const y = (elf) => height - bottom - (height - top - bottom) * elf;
  const line = profile.values.map((p) => `${x(p.distance).toFixed(2)},${y(p.elf).toFixed(2)}`).join("L");
  return [
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="ELF from ${names[0]} to ${names[1]}">`,
    `<rect x="${left}" y="${top}" width="${width - left - right}" height="${height - top - bottom}" class="frame"/>`,
    ...ticks(0, profile.length).map((d) => tickMark(x(d), height - bottom, 0, 5, tickText(d))),
    ...[0, 0.2, 0.4, 0.6, 0.8, 1].map((value) => tickMark(left, y(value), -5, 0, value.toFixed(1))),
    axisText((left + width - right) / 2, height - 10, `distance from ${names[0]} to the nearest ${names[1]} (Å)`),
    axisText(16, (top + height - bottom) / 2, "ELF", "rotate(-90 16 PIVOT)"),
    ...levelLines(levels, y, left, width - right),
    `<path class="profile" d="M${line}"/>`,
    "</svg>",
  ].join("");
}

function tickMark(x, y, dx, dy, text) {
  const anchor = dy ? `x="${x}" y="${y + 18}" text-anchor="middle"` : `x="${x - 9}" y="${y + 4}" text-anchor="end"`;
  return `<line x1="${x}" y1="${y}" x2="${x + dx}" y2="${y + dy}" class="tick"/><text ${anchor}>${text}</text>`;
}

function axisText(x, y, text, transform = "") {
  return `<text x="${x}" y="${y}" text-anchor="middle" transform="${transform.replace("PIVOT", y)}">${text}</text>`;
}

// Dashed lines at the thresholds; labels keep 14 pixels apart so that close values stay readable.
function levelLines(levels, y, left, right) {
  const sorted = [...levels].sort((p, q) => q.value - p.value);
  let lowest = -Infinity;
  return sorted.map(({ name, value }) => {
    const { text, colour } = LEVELS[name];
    const place = Math.max(y(value), lowest + 14);
    lowest = place;
    return (
      `<line x1="${left}" y1="${y(value)}" x2="${right}" y2="${y(value)}" stroke="${colour}" class="level"/>` +
      `<text x="${right + 5}" y="${place + 4}" style="fill:${colour}">${text} ${value.toFixed(3)}</text>`
    );
  });
}
