"""One integer model: a network that is rounded once, in Keras, and from which every target takes the same integers.

Of a bundle whose ``model.keras`` is such a model,

- int8 of tflite, onnx and tensorrt hold its own integers; nothing is calibrated. ``export.json`` names them by
  ``integers_sha256``, the same for all three; :mod:`dermport.exporters.integer.proof` says what differs where it is
  not.
- float32 and float16 are the model as it is: float operations, with its rounding to codes among them. With exact
  scales (:mod:`dermport.exporters.integer.exact`) float32 gives the same codes. With other scales a few codes fall to
  the other side of a half, which moves probabilities by some hundredths: ``verify`` then fails float32, whose bound is
  1e-4. float16 rounds the weights off their grid as well: such a bundle is for integers.
- int8-cpu of onnx is calibrated, on the model without its rounding: x86 processors without VNNI would saturate where
  they multiply the other targets' integers.
"""
