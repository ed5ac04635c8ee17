// Files made in the browser: the numbers, the picture grid as a Gaussian cube, the atoms as extended XYZ.

function cubeText(data, field) {
  const bohr = data.bohr_angstrom;
  const { positions, numbers, cell } = data.structure;
  const columns = (count, vector) =>
    String(count).padStart(5) + vector.map((x) => fixed(x / bohr, 6).padStart(12)).join("");
  const lines = [
    // The first line of a cube is free text: a name with line breaks would shift everything below it.
    `ELF of ${data.analysis.name.replace(/\s+/g, " ")}, written by Jovium`,
    "picture grid, lengths in bohr, z fastest",
    columns(positions.length, [0, 0, 0]),
    ...cell.map((vector, axis) => columns(field.shape[axis], scaled(vector, 1 / field.shape[axis]))),
    ...positions.map((r, i) => columns(numbers[i], [numbers[i] * bohr, ...r])),
  ];
  const nz = field.shape[2];
  for (let start = 0; start < field.values.length; start += nz) {
    for (let k = 0; k < nz; k += 6) {
      const row = field.values.subarray(start + k, start + Math.min(k + 6, nz));
      lines.push(Array.from(row, (value) => value.toExponential(5).replace(/e([+-])(\d)$/, "e$10$2").padStart(13)).join(""));
    }
  }
  return `${lines.join("\n")}\n`;
}

// Decimals of x, never a negative zero.
function fixed(x, digits) {
  return x.toFixed(digits).replace(/^-(?=[0.]*$$)/, "");
}

function extendedXyz(data) {
  const { symbols, positions, cell } = data.structure;
  const lattice = cell.flat().map((x) => fixed(x, 8)).join(" ");
  const rows = positions.map((r, i) => `${symbols[i]} ${r.map((x) => fixed(x, 8)).join(" ")}`);
  return `${symbols.length}\nLattice="${lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"\n${rows.join("\n")}\n`;
}

function saveAs(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads the blob after the click returns.
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
