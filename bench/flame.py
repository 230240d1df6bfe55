"""Flame graphs: where a process's CPU time goes, by whole stacks, as SVG. The width of a frame is
its share of the samples, below it stands who called it, and its color is what it belongs to. Its
place in a row says nothing.
"""

import html

WIDTH, ROW, FONT = 1200, 16, 11
TOP, BOTTOM = 44, 12
SHARE_MIN = 0.003  # narrower frames are left out, with all above them
KERNEL_ROWS_MAX = 6  # what the kernel does in a call, and no deeper
LETTER = 6.2  # about the width of one, at FONT
LABEL_MIN = 5  # letters; with less room a frame has none
# What a frame's file tells: (part of its path, name, color); the first that fits.
KINDS = (
    ("[kernel", "kernel", "#c9c9c9"),
    ("libsofthsm", "SoftHSM", "#d8b365"),
    ("libcrypto", "OpenSSL, crypto", "#f4a582"),
    ("libssl", "OpenSSL, TLS", "#d6604d"),
    ("libpq", "libpq", "#92c5de"),
    ("libsqlite", "SQLite", "#92c5de"),
    ("libc.so", "C library", "#b8b0d9"),
    ("libstdc++", "C library", "#b8b0d9"),
    ("/usr/lib", "other libraries", "#e6e6e6"),
    ("[", "not known", "#e6e6e6"),
    ("", "ours, with Boost", "#7fbf7b"),
)


def kind_of(path):
    return next(name for part, name, _ in KINDS if part in path)


class Node:
    """A frame with what it called; `count` samples were taken in it or above it."""

    def __init__(self):
        self.count, self.below = 0, {}

    def add(self, stack):
        node = self
        node.count += 1
        for frame in stack:
            node = node.below.setdefault(frame, Node())
            node.count += 1


def tree(stacks):
    """`stacks`: lists of (name, file), the outermost frame first."""
    root = Node()
    for stack in stacks:
        frames = [(name, kind_of(path)) for name, path in stack]
        kernel = [kind for _, kind in frames].count("kernel")
        root.add(frames[:len(frames) - max(0, kernel - KERNEL_ROWS_MAX)])
    return root


def _boxes(node, x, depth, total):
    """(frame, count, left end in samples, depth) of each frame that is wide enough."""
    for frame, child in sorted(node.below.items()):
        if child.count >= SHARE_MIN * total:
            yield frame, child.count, x, depth
            yield from _boxes(child, x, depth + 1, total)
        x += child.count


def svg(title, root):
    """The picture: whom everything stands on at the bottom."""
    total = root.count
    boxes = list(_boxes(root, 0, 0, total))
    rows = 1 + max((depth for *_, depth in boxes), default=0)
    height = TOP + rows * ROW + BOTTOM
    colors = {name: color for _, name, color in KINDS}
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'font-family="sans-serif" font-size="{FONT}"><title>{html.escape(title)}</title>',
             f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
             f'<text x="4" y="16" font-size="14">{html.escape(title)}, {total:,} samples</text>']
    parts += _legend(colors, {frame[1] for frame, *_ in boxes})
    for (name, kind), count, left, depth in boxes:
        x, width = WIDTH * left / total, WIDTH * count / total
        y = height - BOTTOM - (depth + 1) * ROW
        share = f"{name}: {100 * count / total:.1f} %"
        parts.append(f'<g><title>{html.escape(share)}</title><rect x="{x:.1f}" '
                     f'y="{y}" width="{max(width - 0.5, 0.3):.1f}" height="{ROW - 1}" '
                     f'fill="{colors[kind]}"/>{_label(name, x, y, width)}</g>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(colors, kinds):
    x = 4
    for kind in (name for name in colors if name in kinds):
        yield (f'<rect x="{x}" y="24" width="11" height="11" fill="{colors[kind]}"/>'
               f'<text x="{x + 15}" y="34">{html.escape(kind)}</text>')
        x += 35 + int(len(kind) * LETTER)


def _label(name, x, y, width):
    """As much of the name's end as there is room for: what it begins with is where it stands."""
    room = int((width - 4) / LETTER)
    if room < LABEL_MIN:
        return ""
    text = name if len(name) <= room else ".." + name[-(room - 2):]
    return f'<text x="{x + 2:.1f}" y="{y + 12}">{html.escape(text)}</text>'
