"""The table of settings in docs/training.md, written from `training.config.settings.CONFIG`.

    python -m tools.settings_table        # writes the table anew between its two marks; a test compares
"""

from pathlib import Path

import yaml

from training.config.settings import CONFIG

PAGE = Path(__file__).resolve().parents[1] / "docs" / "training.md"
BEGIN, END = "<!-- settings: written by tools/settings_table.py -->", "<!-- settings: end -->"
TABLES = (("name", "model", "losses"), ("data",), ("optim", "adversary"), ("train",))  # sections that share a table


def settings_table():
    """The tables as Markdown, str that ends with a line break."""
    rows = list(CONFIG.table())
    tables = []
    for sections in TABLES:
        lines = ["| key | default | permitted | meaning |", "|---|---|---|---|"]
        lines += [f"| `{key}` | `{written(default)}` | {permitted} | {meaning} |" for key, default, permitted, meaning in rows
                  if key.partition(".")[0] in sections]  # fmt: skip
        tables.append("\n".join(lines) + "\n")
    return "\n".join(tables)


def written(value):
    """A value as a config writes it, in one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).removesuffix("\n...\n").strip()
    return text.strip("'")


def updated(text):
    """The page with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{settings_table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
