"""From a folder or a table of photos to records, tasks, splits and tensors: everything before a model sees a number."""
