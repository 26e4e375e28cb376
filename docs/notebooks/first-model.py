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
# Ten kinds of sound that Timbrel makes itself, twelve recordings of each: we look at them, train
# the way a well-known tutorial does, see what its score is worth, train a better model, and let
# it hear something new. Everything below ran in about two minutes on two processor cores; nothing
# is downloaded.
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
# A recording at the end of a cell draws itself, and can be played.

# %%
timbrel.decode("sounds/recordings/bell_03.wav", None)

# %% [markdown]
# `check` reads every recording and names what is broken, odd, doubled or probably mislabelled.
# Nothing is changed. For the tutorial's recipe, which cuts silence away, it names a few hits of
# drums that are quiet and short, as such hits are; for the recipe that `train` uses by itself there
# is nothing odd about them.

# %%
timbrel.check(data, recipe="tutorial-cnn", progress=True)

# %% [markdown]
# ## The tutorial's way, and what its score is worth
#
# The tutorial cuts recordings into windows of a tenth of a second and holds out a tenth of the
# *windows*, at random. `evaluate` does that too, for comparison, and beside it what counts: it
# holds out *whole recordings*, a third of them at a time, and asks networks that have never heard
# them.

# %%
tutorial = timbrel.evaluate(data, recipe="tutorial-cnn", folds=3, epochs=5, progress=True)
tutorial

# %% [markdown]
# The row *Leaky split* is what the tutorial would have reported. Windows of one recording lie on
# both sides of a random split, so that the network is asked about what it has already heard.
# *Files* is what a user would see on recordings of their own. The difference:

# %%
print(f"{100 * tutorial.evaluation['gap']:.0f} points")

# %% [markdown]
# ## Our recipe
#
# The default recipe hears three seconds at a time and learns from copies of each recording as
# rooms, microphones and band limits change it. `train` holds a fifth of the recordings out,
# scores the model on them, and writes one file, `model.onnx`, that starts at the waveform. So few
# recordings make a wide interval; `timbrel.evaluate(data)` asks about every recording.

# %%
trained = timbrel.train(data, "my-model", progress=True)
trained

# %% [markdown]
# ## Answers
#
# Sounds that were made afterwards, one of each kind. Predicting needs neither Keras nor
# TensorFlow.

# %%
timbrel.make_synthetic("new-sounds", recordings=1, seed=77)
model = timbrel.load("my-model")
model.predict("new-sounds/recordings/bell_01.wav")

# %% [markdown]
# A folder, or any number of files, gives a table. What the model will not vouch for is *unknown*.

# %%
timbrel.predict("new-sounds", model)

# %% [markdown]
# A second of noise is none of the ten kinds.

# %%
noise = np.random.default_rng(0).normal(scale=0.1, size=32_000)
model.predict(noise, 32_000)

# %% [markdown]
# ## What is heard, and when
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
# Windows of three seconds, one every second and a half, are merged to events. Silence that is
# longer than a window divides two sounds, and an event begins and ends with its sound.

# %%
model.predict_events("evening.wav")

# %% [markdown]
# And what the model says of itself:

# %%
timbrel.info("my-model")
