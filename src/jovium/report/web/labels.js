// Text over the 3-D view that follows its points on the screen and never covers other text.

class Labels {
  constructor(container, viewer) {
    this.viewer = viewer;
    this.layer = document.createElement("div");
    this.layer.className = "labels";
    container.append(this.layer);
    this.groups = new Map();
    viewer.setViewChangeCallback(() => this.place());
  }

  // Replaces the labels of one group; each is { text, position, colour, offset in pixels }.
  set(group, labels) {
    for (const { element } of this.groups.get(group) ?? []) element.remove();
    const added = labels.map((label) => {
      const element = document.createElement("span");
      element.textContent = label.text;
      element.style.color = label.colour;
      this.layer.append(element);
      return { ...label, element };
    });
    this.groups.set(group, added);
  }

  place() {
    const box = this.layer.getBoundingClientRect();
    const all = [...this.groups.values()].flat().map((label) => {
      const { x, y } = this.viewer.modelToScreen(xyz(label.position));
      const { offsetWidth: width, offsetHeight: height } = label.element;
      const left = x - window.scrollX - box.left + label.offset[0];
      return { element: label.element, left, top: y - window.scrollY - box.top + label.offset[1] - height / 2, width, height };
    });
    const placed = [];
    for (const label of all.sort((p, q) => p.top - q.top)) {
      for (const other of placed) {
        const apart = label.left > other.left + other.width || other.left > label.left + label.width;
        if (!apart && label.top < other.top + other.height) label.top = other.top + other.height;
      }
      placed.push(label);
      placed.sort((p, q) => p.top - q.top);
      label.element.style.transform = `translate(${label.left.toFixed(1)}px, ${label.top.toFixed(1)}px)`;
    }
  }
}
