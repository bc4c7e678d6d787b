"""The one palette of the page and its charts, light and dark: names -> colours.

Rise and fall are vermillion and bluish green after Okabe and Ito, told apart with every common colour blindness;
no meaning rests on colour alone (signs, bar direction, dashes and words repeat it). Text colours have a contrast of
4.5:1 or more on `paper` and on `panel`.
"""

from typing import Final

LIGHT: Final[dict[str, str]] = {
    "paper": "#ffffff",
    "panel": "#f6f7f9",
    "line": "#dfe3e8",
    "ink": "#15191e",
    "quiet": "#57606b",
    "current": "#0067a8",
    "current_fill": "rgba(0, 103, 168, 0.10)",
    "baseline": "#6b7480",
    "band": "rgba(107, 116, 128, 0.16)",
    "up": "#b8420b",
    "up_bar": "#d55e00",
    "down": "#00715a",
    "down_bar": "#009e73",
    "warn_paper": "#fff6e5",
    "warn": "#855700",
    "bad_paper": "#fdecea",
    "bad": "#b3261e",
    "hover": "rgba(87, 96, 107, 0.12)",
    "hue1": "#0072b2",
    "hue2": "#e69f00",
    "hue3": "#009e73",
    "hue4": "#cc79a7",
    "hue5": "#56b4e9",
}

DARK: Final[dict[str, str]] = {
    "paper": "#12161b",
    "panel": "#1a2027",
    "line": "#2d353f",
    "ink": "#e8ebef",
    "quiet": "#a0aab6",
    "current": "#5cb8ee",
    "current_fill": "rgba(92, 184, 238, 0.14)",
    "baseline": "#98a2ae",
    "band": "rgba(152, 162, 174, 0.20)",
    "up": "#f59a63",
    "up_bar": "#e5783a",
    "down": "#4fcfa4",
    "down_bar": "#2bb587",
    "warn_paper": "#2c2413",
    "warn": "#eec06a",
    "bad_paper": "#351c1b",
    "bad": "#ff9d94",
    "hover": "rgba(160, 170, 182, 0.16)",
    "hue1": "#3b9bd9",
    "hue2": "#e6a923",
    "hue3": "#2bb587",
    "hue4": "#d990b9",
    "hue5": "#9fd4f5",
}
