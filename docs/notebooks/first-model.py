# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From recordings to answers
#
# This notebook uses ten kinds of sound that Timbrel synthesises, twelve recordings of each. It
# looks at them, trains the way a well-known tutorial does, examines that score, trains a better
# model, and classifies new sounds. Everything below ran in about two minutes on two processor
# cores; nothing is downloaded.
#
# Training needs `pip install "timbrel[train]"`.

# %%
import numpy as np
import soundfile

import timbrel

data = timbrel.make_synthetic("sounds", recordings=12)
timbrel.read_dataset(data)

# %% [markdown]
# ## Listen and look
#
# A recording at the end of a cell is drawn, and can be played.

# %%
timbrel.decode("sounds/recordings/bell_03.wav", None)

# %% [markdown]
# `check` reads every recording and names those that are broken, odd, duplicated or probably
# mislabelled. Nothing is changed. For the tutorial's recipe, which cuts silence, it names a few
# short, quiet drum hits; for the recipe that `train` uses by default they are not odd.

# %%
timbrel.check(data, recipe="tutorial-cnn", progress=True)

# %% [markdown]
# ## The tutorial's way, and what its score is worth
#
# The tutorial cuts recordings into windows of a tenth of a second and holds out a tenth of the
# *windows*, at random. `evaluate` does that too, for comparison. Its score comes from *whole
# recordings*: a third of them at a time is held out, and scored by a network that was not trained
# on them.

# %%
tutorial = timbrel.evaluate(data, recipe="tutorial-cnn", folds=3, epochs=5, progress=True)
tutorial

# %% [markdown]
# The row *Random split* is what the tutorial would have reported. Windows of one recording are on
# both sides of a random split, so that the network is scored on recordings that it was trained on.
# *Files* is what to expect on other recordings of the same kind. The difference:

# %%
print(f"{100 * tutorial.evaluation['gap']:.0f} points")

# %% [markdown]
# ## The default recipe
#
# The default recipe uses windows of three seconds, and trains on augmented copies of each
# recording, changed as by rooms, microphones and band limits. `train` holds out a fifth of the
# recordings, scores the model on them, and writes one file, `model.onnx`, that takes the waveform.
# So few recordings give a wide interval; `timbrel.evaluate(data)` scores every recording.

# %%
trained = timbrel.train(data, "my-model", progress=True)
trained

# %% [markdown]
# ## Predictions
#
# New sounds, one of each kind. Predicting needs neither Keras nor TensorFlow.

# %%
timbrel.make_synthetic("new-sounds", recordings=1, seed=77)
model = timbrel.load("my-model")
model.predict("new-sounds/recordings/bell_01.wav")

# %% [markdown]
# A folder, or any number of files, gives a table. Where no class reaches the model's threshold, the
# answer is *unknown*.

# %%
timbrel.predict("new-sounds", model)

# %% [markdown]
# A second of noise is none of the ten kinds.

# %%
noise = np.random.default_rng(0).normal(scale=0.1, size=32_000)
model.predict(noise, 32_000)

# %% [markdown]
# ## Events
#
# A longer recording: six of the new sounds, four seconds of near silence before each.

# %%
names = ["bell", "bass-string", "snare-drum", "flute", "clarinet", "saxophone"]
rng = np.random.default_rng(1)
pieces = []
for name in names:
    sound = timbrel.decode(f"new-sounds/recordings/{name}_01.wav", 44_100).waveform
    pieces += [rng.normal(scale=1e-4, size=4 * 44_100), sound]
soundfile.write("evening.wav", np.concatenate(pieces), 44_100)
timbrel.decode("evening.wav", None)

# %% [markdown]
# Windows of three seconds, one every second and a half, are merged into events. Silence that is
# longer than a window separates two sounds, and an event begins and ends with its sound.

# %%
model.predict_events("evening.wav")

# %% [markdown]
# The description of the model:

# %%
timbrel.info("my-model")
