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
from timbrel.errors import InvalidArgument
from timbrel.files import replacing
from timbrel.networks.recipes import DEFAULT_RECIPE

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
        _score_models(terminal, data, model, audio=audio, json_file=json_file)
    if resume and no_cache:
        raise InvalidArgument("`--resume` needs the cache, where finished networks are kept.")
    load_keras(terminal)
    from timbrel.cli.watch import CommandProgress
    from timbrel.evaluation.record import evaluation_json
    from timbrel.features.cache import FeatureCache, default_folder
    from timbrel.report.terminal import print_score
    from timbrel.report.view import ScoreView
    from timbrel.workflows import evaluate as workflow

    with contextlib.ExitStack() as stack:
        # Found out before the work is done: whether they can be written.
        json_to = json_file and stack.enter_context(replacing(json_file))
        page_to = report and stack.enter_context(replacing(report))
        progress = stack.enter_context(CommandProgress(terminal))
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
                report=page_to or None,
                resume=resume,
                cache=FeatureCache(None if no_cache else cache or default_folder()),
                progress=progress,
            )
        except KeyboardInterrupt:
            goes_on = "" if no_cache else " The same command with --resume goes on from here."
            terminal.err.print(f"Interrupted.{goes_on}")
            raise typer.Exit(130) from None
        if json_to:
            json_to.write_bytes(evaluation_json(result.evaluation))
    terminal.out.print()
    print_score(terminal.out, ScoreView(result.evaluation), whole=not terminal.quiet)
    if report:
        terminal.out.print(f"\nReport   {report}", markup=False, soft_wrap=True)
    raise typer.Exit(terminal.problems(result.problems))


def _score_models(
    terminal: Terminal,
    data: Path,
    models: list[Path],
    *,
    audio: Path | None,
    json_file: Path | None,
) -> None:
    """Score finished models; ends the program."""
    from timbrel.cli.watch import CommandProgress
    from timbrel.evaluation.record import evaluation_json
    from timbrel.report.terminal import print_models, print_score
    from timbrel.report.view import ScoreView
    from timbrel.workflows.compare import evaluate_models

    with contextlib.ExitStack() as stack:
        json_to = json_file and stack.enter_context(replacing(json_file))
        progress = stack.enter_context(CommandProgress(terminal))
        found = evaluate_models(data, models, audio=audio, progress=progress)
        if json_to:
            rows = [
                {"model": name, **evaluation}
                for name, evaluation in zip(found.models, found.evaluations, strict=True)
            ]
            json_to.write_bytes(evaluation_json(rows[0] if len(rows) == 1 else {"models": rows}))
    if len(models) == 1:
        view = ScoreView(found.evaluations[0])
        print_score(terminal.out, view, whole=not terminal.quiet)
    else:
        print_models(terminal.out, found.models, found.evaluations)
    raise typer.Exit(terminal.problems(found.problems))


def _folds(text: str | None) -> int | str | None:
    try:
        return int(text)
    except (TypeError, ValueError):
        return text
