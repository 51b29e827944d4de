"""k-fold cross-validation: folds by group, each a training of its own, their out-of-fold predictions and figures."""
