"""Line charts as SVG, without a library: a few series over a few named places, logarithmic."""

import html
import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 40, 60  # around the area of the lines
COLORS = ("#8a8a8a", "#1f6fb2", "#c2410c", "#3f3f3f", "#15803d")


def _text(x, y, text, anchor="middle", size=12):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}">'
            f"{html.escape(text)}</text>")


def _short(value):
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def lines(title, places, series):
    """`series`: name -> a positive value for each of `places`, or None where there is none."""
    values = [value for row in series.values() for value in row if value is not None]
    low, high = (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))))
    high = max(high, low + 1)

    def x_of(number):
        return LEFT + (WIDTH - LEFT - RIGHT) * number / max(1, len(places) - 1)

    def y_of(value):
        share = (math.log10(value) - low) / (high - low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             f'font-family="sans-serif"><title>{html.escape(title)}</title>',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
             _text(WIDTH / 2, 22, title, size=15)]
    for power in range(low, high + 1):
        y = y_of(10 ** power)
        parts += [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.0f}" y2="{y:.0f}" '
                  'stroke="#d4d4d4"/>', _text(LEFT - 8, y + 4, _short(10 ** power), "end")]
    parts += [_text(x_of(number), HEIGHT - BOTTOM + 18, f"{place:,}")
              for number, place in enumerate(places)]
    for number, (name, row) in enumerate(series.items()):
        color = COLORS[number % len(COLORS)]
        points = " ".join(f"{x_of(place):.1f},{y_of(value):.1f}"
                          for place, value in enumerate(row) if value is not None)
        x, y = LEFT + (number % 2) * 330, HEIGHT - 26 + (number // 2) * 18
        parts += [f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>',
                  f'<line x1="{x}" x2="{x + 24}" y1="{y - 4}" y2="{y - 4}" stroke="{color}" '
                  'stroke-width="2"/>', _text(x + 30, y, name, "start")]
    return "\n".join([*parts, "</svg>"]) + "\n"
