"""`timbrel evaluate`."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from timbrel.cli import options
from timbrel.cli.console import CommandProgress, Terminal, load_keras
from timbrel.errors import InvalidArgument
from timbrel.files import replacing
from timbrel.networks.recipes import DEFAULT_RECIPE

EXAMPLES = """
timbrel evaluate sounds
timbrel evaluate sounds -r strong --folds 10 --report report.html
timbrel evaluate new-sounds -m my-model -m timbrel-model
"""

scoring = partial(typer.Option, rich_help_panel="Evaluation")


def evaluate(
    data: options.Data,
    audio: options.Audio = None,
    model: Annotated[
        list[Path] | None,
        options.model(
            "--model",
            "-m",
            help="Score a finished model instead of training; several are compared.",
        ),
    ] = None,
    recipe: Annotated[str | None, options.RECIPE] = None,
    epochs: options.Epochs = None,
    batch_size: options.BatchSize = None,
    clean_threshold: options.CleanThreshold = None,
    folds: Annotated[
        str | None,
        scoring(
            help="Number of folds, or 'group' to hold out one group at a time; by default the "
            "folds of the data, else 5."
        ),
    ] = None,
    repeats: Annotated[int, scoring(help="Number of runs, each with other folds and seeds.")] = 1,
    unknown: Annotated[
        bool,
        scoring(
            "--unknown",
            help="Score the rejection of unknown sounds, too: train without some of the classes.",
        ),
    ] = False,
    learning_curve: Annotated[
        bool,
        scoring(
            "--learning-curve",
            help="Train on growing parts of the data, too: would more data help?",
        ),
    ] = False,
    seed: options.Seed = 0,
    resume: options.Resume = False,
    cache: options.CacheFolder = None,
    no_cache: options.NoCache = False,
    json_file: Annotated[
        Path | None, options.output("--json", help="Write all figures to a file.")
    ] = None,
    report: Annotated[
        Path | None, options.output(help="Write the report, a page for the browser.")
    ] = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Score a recipe honestly: each recording is predicted by a network trained without it."""
    terminal = Terminal(quiet, verbose)
    if model:
        training = {
            "--recipe": recipe, "--folds": folds, "--repeats": repeats != 1, "--unknown": unknown,
            "--learning-curve": learning_curve, "--report": report, "--epochs": epochs,
            "--batch-size": batch_size, "--clean-threshold": clean_threshold, "--resume": resume
        }  # fmt: skip
        for name, value in training.items():
            if value not in (None, False):
                raise InvalidArgument(
                    f"`{name}` is for training; a finished model (-m) is only scored."
                )
    else:
        if resume and no_cache:
            raise InvalidArgument("`--resume` needs the cache, where finished networks are kept.")
        load_keras(terminal)
    from timbrel.evaluation.record import evaluation_json
    from timbrel.report.terminal import print_models, print_score
    from timbrel.report.view import ScoreView

    with contextlib.ExitStack() as stack:
        # Opened first: a file that cannot be written is an error before the work, not after it.
        json_to = json_file and stack.enter_context(replacing(json_file))
        page_to = report and stack.enter_context(replacing(report))
        if model:
            from timbrel.workflows.compare import evaluate_models

            progress = stack.enter_context(CommandProgress(terminal))
            compared = evaluate_models(data, model, audio=audio, progress=progress)
            names, evaluations = compared.models, compared.evaluations
            problems = compared.problems
            rows = [
                {"model": name, **evaluation}
                for name, evaluation in zip(names, evaluations, strict=True)
            ]
            figures = rows[0] if len(rows) == 1 else {"models": rows}
        else:
            from timbrel.workflows import evaluate as workflow

            goes_on = "" if no_cache else "The same command with --resume continues from here."
            stack.enter_context(terminal.interruptible(lambda: goes_on))
            progress = stack.enter_context(CommandProgress(terminal))
            result = workflow.evaluate(
                data,
                audio=audio,
                recipe=recipe or DEFAULT_RECIPE,
                folds=int(folds) if folds and folds.lstrip("-").isdecimal() else folds,
                repeats=repeats,
                epochs=epochs,
                batch_size=batch_size,
                clean_threshold=clean_threshold,
                seed=seed,
                unknown=unknown,
                learning_curve=learning_curve,
                report=page_to,
                resume=resume,
                cache=options.cache_of(cache, disabled=no_cache),
                progress=progress,
            )
            figures, problems = result.evaluation, result.problems
        if json_to:
            json_to.write_bytes(evaluation_json(figures))
    if model and len(model) > 1:
        print_models(terminal.out, names, evaluations)
    else:
        if not model:
            terminal.print("")
        print_score(terminal.out, ScoreView(figures), whole=not terminal.quiet)
    if report:
        terminal.print(f"\nReport   {report}")
    raise typer.Exit(terminal.problems(problems))
