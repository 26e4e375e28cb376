"""What a command shows while a verb works: bars, findings and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from timbrel.cli.console import Terminal
from timbrel.cli.tables import cost_text, network_table
from timbrel.display.console import plain_table
from timbrel.findings import Finding
from timbrel.networks.recipes import Recipe
from timbrel.progress import TerminalProgress
from timbrel.text import counted

# Findings of one code that are shown unless all are asked for.
_FEW = 5
_SHOWN_WHEN_QUIET = ("fold windows", "folds", "random split", "unknown")


class CommandProgress(TerminalProgress):
    """Bars and findings on stderr, figures on stdout.

    What makes a recording unusable is not shown: the command names it when it ends.

    Args:
        terminal: where to show it.
        recipe: what is trained; its network is shown when verbose. None shows none.
    """

    def __init__(self, terminal: Terminal, recipe: Recipe | None = None) -> None:
        super().__init__(terminal.err, disable=terminal.quiet)
        self._terminal, self._recipe = terminal, recipe
        self._classes: list[Mapping[str, object]] = []
        self._weights: list[Mapping[str, object]] = []
        self._shown: Counter[str] = Counter()
        self._epochs = 0
        self._figures = ""

    def stage(self, name: str, done: float, total: float | None, note: str = "") -> None:
        """Move the bar of a stage; that of a training says how the last epoch went."""
        super().stage(name, done, total, note + self._figures if name == "training" else note)

    def finding(self, finding: Finding) -> None:
        """Print a finding: of each code the first few, unless verbose."""
        if finding.unusable:
            return
        if finding.severity == "note":
            self._terminal.say(finding.text)
            return
        self._shown[finding.code] += 1
        if self._terminal.verbose or self._shown[finding.code] <= _FEW:
            self._terminal.warn([finding])

    def row(self, table: str, row: Mapping[str, object]) -> None:
        """Print figures; what takes many lines only when verbose."""
        self._name_the_rest()
        if self._terminal.quiet and table not in _SHOWN_WHEN_QUIET:
            return
        out, verbose = self._terminal.out, self._terminal.verbose
        if table == "classes":
            self._classes.append(row)
        elif table == "windows":
            out.print(class_table(self._classes))
            cached = ", from the cache" if row["cached"] else ""
            out.print(
                f"\n{counted(row['windows'], 'window')} of {row['seconds']:g} s{cached}: "
                f"X {tuple(row['X'])}, y {tuple(row['y'])}"
            )
        elif table == "weights":
            self._weights.append(row)
        elif table == "training":
            self._epochs = row["epochs"]
            out.print(
                f"{row['recipe']} learns from {counted(row['learn'], 'recording')}; "
                f"{row['calibrate']} are for calibration, and {row['held_out']} are held out for "
                "the score."
            )
            if verbose:
                out.print()
                counts = "recordings" if "recordings" in self._weights[0] else "windows"
                weights = plain_table("Class weights (balanced)", "class", counts, "weight")
                for item in self._weights:
                    weights.add_row(Text(item["class"]), str(item[counts]), f"{item['weight']:.3f}")
                out.print(weights)
            if verbose and self._recipe is not None:
                from timbrel.workflows.summary import summary

                described = summary(self._recipe, classes=row["classes"])
                out.print(network_table(described))
                out.print(f"{cost_text(described)}\n")
        elif table == "epochs":
            self._show_epoch(row)
        elif table in ("fold windows", "random split"):
            if row["windows"]:
                share = f"{row['right'] / row['windows']:.1%}"
                text = f"{row['name']}: {share} of {counted(row['windows'], 'window')} right"
                out.print(text, markup=False, soft_wrap=True)
        elif table == "folds":
            text = f"{row['name']}: {row['right']} of {row['files']} recordings right"
            out.print(text, markup=False, soft_wrap=True)
        elif table == "unknown":
            names = ", ".join(row["left_out"])
            text = f"without {names}: {row['accept_rate']:.1%} of its sounds are accepted"
            out.print(text, markup=False, soft_wrap=True)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        super().__exit__(kind, *rest)
        self._name_the_rest()

    def _show_epoch(self, row: Mapping[str, object]) -> None:
        figures = "  ".join(
            f"{key} {row[key]:.4f}"
            for key in ("loss", "acc", "val_loss", "val_acc")
            if row[key] is not None
        )
        last = [f"{key} {row[key]:.3f}" for key in ("loss", "val_acc") if row[key] is not None]
        self._figures = f", {', '.join(last)}"
        if self._terminal.verbose:
            planned = f"/{self._epochs}" if self._epochs else ""
            self._terminal.out.print(
                f"Epoch {row['epoch']:>2}{planned}  {figures}  {row['seconds']:.1f} s"
            )

    def _name_the_rest(self) -> None:
        """Say how many findings of each code were not shown."""
        rest = sum(max(count - _FEW, 0) for count in self._shown.values())
        if rest and not self._terminal.verbose:
            self._terminal.err.print(
                f"… and {counted(rest, 'more warning')} (--verbose names all).", style="yellow"
            )
        self._shown.clear()


def class_table(rows: list[Mapping[str, object]]) -> Table:
    """Recordings and seconds of each class, as read and, where that differs, as kept."""
    cleaned = any(row["kept"] < row["seconds"] - 0.05 for row in rows)
    grouped = any(row["groups"] < row["recordings"] for row in rows)
    columns = ["recordings"]
    columns += ["groups"] if grouped else []
    columns += ["read s", "kept s"] if cleaned else ["seconds"]
    table = plain_table("The data", "class", *columns, "mean s")
    total = {
        key: sum(row[key] for row in rows) for key in ("recordings", "groups", "seconds", "kept")
    }
    for row in [*rows, {"class": None, **total}]:
        cells = [str(row["recordings"])]
        cells += [str(row["groups"])] if grouped else []
        cells += [f"{row['seconds']:.1f}", *([f"{row['kept']:.1f}"] if cleaned else [])]
        name = Text("all", style="bold") if row["class"] is None else Text(row["class"])
        table.add_row(name, *cells, f"{row['kept'] / row['recordings']:.2f}")
    return table
