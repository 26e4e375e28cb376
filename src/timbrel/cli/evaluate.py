"""`timbrel evaluate`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli.console import Quiet, Terminal, Verbose, load_keras
from timbrel.cli.options import (
    Audio,
    BatchSize,
    CacheFolder,
    CleanThreshold,
    Data,
    Epochs,
    NoCache,
    Seed,
    recipe_names,
)
from timbrel.cli.tables import (
    class_table,
    curve_table,
    difference_lines,
    honesty_table,
    honesty_text,
    models_table,
)
from timbrel.display.bars import StageBars
from timbrel.errors import InvalidArgument
from timbrel.files import replacing
from timbrel.networks.recipes import DEFAULT_RECIPE
from timbrel.wording import one_line

Json = Annotated[Path | None, typer.Option("--json", help="Write all figures to a file.")]


def evaluate(
    data: Data,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe", "-r", help="The recipe to train with.", autocompletion=recipe_names
        ),
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option("--model", "-m", help="Score a finished model instead; several side by side."),
    ] = None,
    audio: Audio = None,
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds",
            help="How many folds, or 'group' to leave one group out at a time. "
            "By default the data's own, else 5.",
        ),
    ] = None,
    repeats: Annotated[
        int, typer.Option("--repeats", help="Deal and train so many times, with other seeds.")
    ] = 1,
    unknown: Annotated[
        bool,
        typer.Option("--unknown", help="Also train without each part of the classes, and ask."),
    ] = False,
    learning_curve: Annotated[
        bool,
        typer.Option("--learning-curve", help="Also train on growing parts: would more data help?"),
    ] = False,
    json_file: Json = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write the report, a page for the browser.")
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    seed: Seed = 0,
    clean_threshold: CleanThreshold = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted evaluation of the same.")
    ] = False,
    cache: CacheFolder = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Score a recipe honestly: every recording is heard by a network trained without it."""
    terminal = Terminal(quiet, verbose)
    if model:
        training = {
            "--recipe": recipe, "--folds": folds, "--repeats": repeats != 1, "--unknown": unknown,
            "--learning-curve": learning_curve, "--report": report, "--epochs": epochs,
            "--batch-size": batch_size, "--clean-threshold": clean_threshold, "--resume": resume,
        }  # fmt: skip
        asked = [name for name, value in training.items() if value not in (None, False)]
        if asked:
            raise InvalidArgument(
                f"`{asked[0]}` goes with training; a finished model (-m) is only scored."
            )
        _finished(terminal, (data, model, audio), json_file)
    if resume and no_cache:
        raise InvalidArgument("`--resume` needs the cache, where finished networks are kept.")
    load_keras(terminal)
    from timbrel.cli.watch import watching_evaluation
    from timbrel.evaluation.record import evaluation_json
    from timbrel.features.cache import FeatureCache, default_folder
    from timbrel.workflows import evaluate as workflow
    from timbrel.workflows.describe import write_evaluation_page

    with contextlib.ExitStack() as stack:
        # Found out before the work is done: whether they can be written.
        json_to, page_to = (
            path and stack.enter_context(replacing(path)) for path in (json_file, report)
        )
        observer = stack.enter_context(watching_evaluation(terminal))
        try:
            result = workflow.evaluate(
                data,
                audio=audio,
                recipe=recipe or DEFAULT_RECIPE,
                folds=_folds(folds),
                repeats=repeats,
                epochs=epochs,
                batch_size=batch_size,
                clean_threshold=clean_threshold,
                seed=seed,
                unknown=unknown,
                learning_curve=learning_curve,
                resume=resume,
                cache=FeatureCache(None if no_cache else cache or default_folder()),
                observer=observer,
            )
        except KeyboardInterrupt:
            goes_on = "" if no_cache else " The same command with --resume goes on from here."
            terminal.err.print(f"Interrupted.{goes_on}")
            raise typer.Exit(130) from None
        if json_to:
            json_to.write_bytes(evaluation_json(result.evaluation))
        if page_to:
            write_evaluation_page(
                page_to, result.evaluation, prepared=result.prepared, history=result.history
            )
    _show(terminal, result.evaluation, report)
    raise typer.Exit(terminal.problems(result.problems))


def _finished(
    terminal: Terminal, what: tuple[Path, list[Path], Path | None], json_file: Path | None
) -> None:
    """Score finished models; ends the program."""
    from timbrel.evaluation.record import evaluation_json
    from timbrel.workflows.compare import evaluate_models

    data, models, audio = what
    with contextlib.ExitStack() as stack:
        json_to = json_file and stack.enter_context(replacing(json_file))
        bars = stack.enter_context(terminal.progress())
        stages = StageBars(bars)

        def progress(name: str, done: int, total: int) -> None:
            stage, note = (name, "") if name == "comparing" else ("scoring", name)
            stages.move(stage, done, total, note=note)

        found = evaluate_models(data, models, audio=audio, progress=progress)
        if json_to:
            rows = [
                {"model": name, **evaluation}
                for name, evaluation in zip(found.models, found.evaluations, strict=True)
            ]
            json_to.write_bytes(evaluation_json(rows[0] if len(rows) == 1 else {"models": rows}))
    terminal.warn(found.notes)
    if len(models) == 1 and not terminal.quiet:
        terminal.out.print(class_table(found.evaluations[0]))
        terminal.out.print()
    terminal.out.print(models_table(found.models, found.evaluations))
    for line in difference_lines(found.models, found.evaluations):
        terminal.out.print(one_line(line), markup=False, soft_wrap=True)
    raise typer.Exit(terminal.problems(found.problems))


def _folds(text: str | None) -> int | str | None:
    try:
        return int(text)
    except (TypeError, ValueError):
        return text


def _show(terminal: Terminal, evaluation: dict, report: Path | None) -> None:
    out = terminal.out
    out.print()
    if not terminal.quiet:
        out.print(class_table(evaluation))
        out.print()
    if evaluation["learning_curve"]:
        out.print(curve_table(evaluation["learning_curve"]))
        out.print()
    out.print(honesty_table(evaluation))
    out.print(f"\n{honesty_text(evaluation)}", markup=False, soft_wrap=True)
    if report:
        out.print(f"\nReport   {report}", markup=False, soft_wrap=True)
