"""The words of the instrument model's card; `benchmarks/instrument_model.py` has the figures."""

from __future__ import annotations

import numpy as np

from strangers import WAVES

# What a confusion must come to at least to be named, in recordings.
_OFTEN = 2


def card(figures: dict, metadata: dict) -> str:
    """Markdown of the card.

    Args:
        figures: what benchmarks/results/instrument-model.json holds.
        metadata: what the model says of itself.
    """
    return "\n".join(
        [
            _head(figures, metadata),
            _scores(figures["cross_validation"], _own(figures, metadata)["answers"]),
            _elsewhere(figures["elsewhere"], _own(figures, metadata)["answers_elsewhere"]),
            _unknown(figures, metadata["thresholds"]),
            _limits(figures),
            _making(figures, metadata),
        ]
    )


def _own(figures: dict, metadata: dict) -> dict:
    own = metadata["thresholds"]["unknown"]
    return next(row for row in figures["thresholds"] if row["threshold"] == own)


def _answers(row: dict) -> str:
    return (
        f"With the threshold, the answer (`label`) is right for {share(row['right'])}, wrong for "
        f"{share(row['wrong'])} and `unknown` for {share(row['unknown'])}."
    )


def share(value: float, ends: list[float] | None = None) -> str:
    """A share in percent, with its interval."""
    more = f" ({100 * ends[0]:.0f}–{100 * ends[1]:.0f})" if ends else ""
    return f"{100 * value:.1f} %{more}"


def _head(figures: dict, metadata: dict) -> str:
    labels = ", ".join(label.replace("_", " ") for label in metadata["labels"])
    window, hop = (metadata[key] / metadata["rate"] for key in ("window", "hop"))
    return f"""\
<!-- Made by `make instrument-model`; do not edit. -->

# The instrument model

What `timbrel predict`, `listen` and `tag` use where no other model is named: a classifier of single
instruments, in one file of {figures["bytes"] / 1e6:.1f} MB that comes with the package.

| | |
|---|---|
| classes | {labels} |
| input | {window:.1f} s every {hop:.1f} s, mono at {metadata["rate"] // 1000} kHz; whatever is given is mixed and resampled |
| answers | a calibrated probability for each class, and *unknown* below {metadata["thresholds"]["unknown"]:.2f} |
| recipe | `{metadata["recipe"]["name"]}` ([recipes](../concepts/recipes.md)), {metadata["parameters"]:,} parameters |
| learned from | {metadata["data"]["files"]} recordings, {metadata["data"]["seconds"] / 60:.0f} minutes; SHA-256 of each in `timbrel.load().metadata["recordings"]` |

```sh
timbrel info
timbrel predict sound.wav
```

## Data and licences

The recordings are the tutorial's: 30 of each class, chosen by its author from FSDKaggle2018 (Fonseca et
al. 2018, "General-purpose tagging of Freesound audio with AudioSet labels"), which is licensed CC BY 4.0 as
a collection; each recording has a Creative Commons licence of its own, some of which ask for attribution or
forbid commercial use. `timbrel data instruments` fetches them and checks every file. The model holds no
audio; whether a model is a work derived from what it learned from is not settled everywhere, so look at the
licences before you sell it. Sounds of none of the classes, from which it learned to doubt, were synthesised.
"""


def _scores(found: dict, answers: dict) -> str:
    file, ends, calibration = found["file"], found["file"]["ci95"], found["calibration"]
    rows = "\n".join(
        f"| {row['label']} | {share(row['recall'], row['ci95']['recall'])} | "
        f"{share(row['precision'], row['ci95']['precision'])} | {row['files']} |"
        for row in found["per_class"]
    )
    split = found["random_split"]
    return f"""\
## How good it is

Each recording was scored by a network that was trained without it (five folds of whole recordings, copies
kept together). **{share(file["accuracy"], ends["accuracy"])} of recordings are named rightly**, 95 % interval in
brackets, by their most probable class (`predicted`); mAP@3 {file["map3"]:.3f}. {_answers(answers)} The model in the
package was then trained once more, on all of them. A random split of windows, as in the tutorial, would have claimed
{share(split["window_accuracy"], split["ci95"])} of {split["windows"]} windows.

| class | recall: of its recordings, named rightly | precision: of what is named so, right | recordings |
|---|---|---|---|
{rows}

Of what is named wrongly, most often: {_confusions(found)}.

Its probabilities are off by {share(calibration["ece_after"])} on average (ECE of recordings; a perfectly
calibrated model would show {share(calibration["ece_expected"])} at this number of recordings). The temperature comes from
the same cross-validation.

The recipe was chosen with an eye on four of the five folds, so that the figure may flatter it.
"""


def _confusions(found: dict) -> str:
    labels, matrix = found["labels"], np.array(found["confusion"])
    np.fill_diagonal(matrix, 0)
    order = np.dstack(np.unravel_index(np.argsort(-matrix, axis=None, kind="stable"), matrix.shape))
    said = [
        f"{labels[true]} as {labels[named]} ({matrix[true, named]})"
        for true, named in order[0][:6]
        if matrix[true, named] >= _OFTEN
    ]
    return ", ".join(said) if said else "nothing twice"


def _elsewhere(found: dict, answers: dict) -> str:
    file, ends = found["file"], found["file"]["ci95"]
    rows = "\n".join(
        f"| {name} | {right} of {count} |" for name, (right, count) in found["groups"].items()
    )
    count = sum(count for _, count in found["groups"].values())
    return f"""\
## On other people's recordings

Microphones, rooms and players that it never learned from: {count} recordings of its classes from three other
collections, single orchestra notes, a sampled violin, an acoustic drum kit. **{share(file["accuracy"], ends["accuracy"])} are
named rightly** by `predicted`; the interval is over the three collections. {_answers(answers)}
ECE {share(found["calibration"]["ece_after"])}: there it is surer than it should be.
While the recipe was made, these recordings were looked at, so that this is a development score.

| collection | named rightly |
|---|---|
{rows}

Most often: {_confusions(found)}.
"""


def _unknown(figures: dict, thresholds: dict) -> str:
    out, there = figures["cross_validation"]["unknown"], figures["elsewhere"]["unknown"]
    parts = "; ".join(
        f"{' and '.join(part['left_out']).replace('_', ' ')} {share(part['accept_rate'])}"
        for part in out["parts"]
    )
    rows = [
        ("instruments of two classes at a time that it was trained without", out),
        ("oboes and bassoons, from an orchestra", there),
        (_midi(figures["general_midi"]), figures["general_midi"]),
        (_letters(figures["letters"]), figures["letters"]),
        (
            f"speech at 8 kHz: {figures['speech']['sounds']} spoken digits of six speakers",
            figures["speech"],
        ),
    ]
    rows = [(name, row.get("accepted", row.get("accept_rate")), row["ci95"]) for name, row in rows]
    table = [
        f"| {name} | {share(value, ends if isinstance(ends, list) else ends['accept_rate'])} |"
        for name, value, ends in rows
    ]
    for name, row in figures["made_up"].items():
        taken = ", ".join(label.replace("_", " ") for label in row["as"])
        if name == "digital silence":
            table.append(f"| {name} | {'taken for ' + taken if taken else 'never, by rule'} |")
            continue
        table.append(
            f"| {name}, made up, {row['sounds']} draws | {share(row['accepted'], row['ci95'])}"
            f"{f': {taken}' if taken else ''} |"
        )
    return f"""\
## What it does not know

How often sounds that are none of its classes are taken for one all the same, in brackets 95 % intervals (the
lower, the better). It learned from none of these sounds, but from noises and tones that were drawn at random
and are akin to the made-up ones. The last {len(WAVES)} rows, and the two with General MIDI and wide-band speech,
were measured when it was finished, and changed nothing:

| sounds | taken for an instrument it knows |
|---|---|
{chr(10).join(table)}

The first row is of networks that were trained without the two classes, each at its own threshold, which
accepts 95 % of what it names rightly: {parts}. The probability tells known from unknown sounds with an AUROC of
{out["auroc"]:.2f} there ({out["ci95"]["auroc"][0]:.2f}–{out["ci95"]["auroc"][1]:.2f}), and of {there["auroc"]:.2f} for oboes and bassoons among the recordings
from elsewhere. {_told(figures)} An instrument that resembles one of the ten is often taken for it, and surely.

Speech up to 20 kHz is taken for: {_taken(figures["letters"])}; other instruments of General MIDI for:
{_taken(figures["general_midi"])}. Of {figures["general_midi"]["own"]["sounds"]} notes of its own classes in the same sound
font it names {figures["general_midi"]["own"]["right"]} rightly and accepts {figures["general_midi"]["own"]["accepted"]}. The letters are those of KLettres, the
instruments those of the sound font FluidR3; `benchmarks/strangers.py` says which are left out, because one
may argue about them.

{_narrow(figures["band_limited"])}

{_trade(figures["thresholds"], thresholds["unknown"], thresholds["accept"])}"""


def _midi(found: dict) -> str:
    return f"{found['programs']} other instruments of General MIDI, {found['sounds']} notes"


def _letters(found: dict) -> str:
    return f"speech up to 20 kHz: {found['sounds']} letters and syllables in {found['languages']} languages"


def _taken(found: dict) -> str:
    """As what it is taken, most often first."""
    often = sorted(found["as"].items(), key=lambda each: -each[1])
    least = min((count for _, count in often[:3]), default=0)
    named = [f"{label.replace('_', ' ')} ({count})" for label, count in often if count >= least]
    return ", ".join(named) if named else "nothing"


def _narrow(rates: dict) -> str:
    (_, wide), (_, narrow) = rates.items()
    return (
        f"What lacks the high frequencies is doubted: of {wide['sounds']} recordings from elsewhere of its own "
        f"classes, it accepts {wide['accepted']} as they are, and {narrow['accepted']} at 8 kHz, though it names "
        f"{wide['right']} and {narrow['right']} rightly. That helps it to turn down the spoken digits, which were "
        "recorded at 8 kHz."
    )


def _told(figures: dict) -> str:
    rows = {"speech at 8 kHz": figures["speech"], **figures["made_up"]}
    never = [name for name, row in rows.items() if not row["accepted"]]
    often = [name for name, row in rows.items() if row["accepted"]]
    ending = f" {_listed(often).capitalize()} may be taken for an instrument." if often else ""
    return f"Turned down: {_listed(never)}.{ending}"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _trade(rows: list[dict], own: float, accept: float) -> str:
    table = "\n".join(
        f"| {'**' if row['threshold'] == own else ''}{row['threshold']:.2f}"
        f"{'**' if row['threshold'] == own else ''} | {share(row['right'])} | "
        f"{share(row['right_of_accepted'])} | {share(row['elsewhere_right'])} | "
        f"{share(row['elsewhere_wrong'])} | {share(row['elsewhere_unknown'])} |"
        for row in rows
    )
    return f"""\
A model of your own accepts 95 % of what it names rightly. This one is stricter, {accept:.0%}, because users give it
sounds of every kind; that was decided with the last three columns in view, so they flatter it a little. `--threshold`
sets another:

| threshold | cross-validation: rightly named, accepted | of the accepted, right | elsewhere: rightly named, accepted | wrongly named, accepted | oboes and bassoons, accepted |
|---|---|---|---|---|---|
{table}
"""


def _limits(figures: dict) -> str:
    wrong = round(1 / (1 - figures["cross_validation"]["file"]["accuracy"]))
    return f"""\
## What not to use it for

- Mixtures: it was trained on one instrument at a time. What it says of a song means little.
- Instruments outside of the ten. A piano, a trumpet or a voice has no class here, and *unknown* does not catch
  all of them.
- Decisions about people, safety or money. It is wrong about one recording in {wrong} of its own kind, and more
  often elsewhere.
- Who plays, which make of instrument, which note: it does not know.

For your own categories train your own model: [your own sounds](../guides/your-own-sounds.md).
"""


def _making(figures: dict, metadata: dict) -> str:
    machine = figures["machine"]
    packages = ", ".join(
        f"{name} {metadata['versions'][name]}" for name in ("timbrel", "keras", "onnxruntime")
    )
    return f"""\
## How it was made

`make instrument-model`, seed {metadata["seed"]}, on {machine["cores"]} cores of an {machine["processor"]},
Python {machine["python"]}, {packages}; it needs all three data sets, of which `timbrel data` fetches two
(`TIMBREL_SHARED` names their folder), and three of Debian's packages, which it installs where it may. The exported graph differs from the Keras model by at most
{metadata["parity"]["max_difference"]:.1g} in probability, on {metadata["parity"]["windows"]} windows of recordings from
elsewhere. All figures on this page are in `benchmarks/results/instrument-model.json`.
"""
