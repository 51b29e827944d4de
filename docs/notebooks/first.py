# %% [markdown]
# # From photos to a verified .tflite
#
# Photos are drawn here, so that this runs anywhere in a minute; name a folder of your own for real ones. The model is
# far too small and hardly trained: what it says is worth nothing.
#
# **Research and education only. Never a diagnosis.**

# %%
from pathlib import Path
from tempfile import mkdtemp

import dermport as dp

work = Path(mkdtemp())
dp.draw_sample_set(work / "photos", photos=200, seed=0, size=(160, 120))

# %% [markdown]
# ## Train
#
# `dp.TrainingRecipe` has every option of `dermport train`; without one, the published recipe is trained from ImageNet
# weights. `progress=True` tells how far it is.

# %%
recipe = dp.TrainingRecipe(weights="none", alpha=0.35, size=64, fine_tune="all", fine_tune_epochs=3)
bundle = dp.train(work / "photos", work / "first", recipe=recipe, task="cancer")
bundle

# %% [markdown]
# ## How good is it?
#
# Every figure has a bootstrap interval, drawn by lesion.

# %%
dp.evaluate(bundle)

# %% [markdown]
# ## Export, and prove it
#
# The artifact is read back from disk, executed by LiteRT, and held against the original on the golden set.

# %%
(artifact,) = dp.export(bundle, to="tflite", precision="fp32")
dp.verify(bundle)

# %% [markdown]
# ## Ask about a photo
#
# By the original, and by the very file that goes onto the phone: the same answer.

# %%
photo = next((work / "photos").rglob("*.jpg"))
bundle.predict(photo)

# %%
dp.load(artifact).predict(dp.prepare(photo, bundle)[None])
