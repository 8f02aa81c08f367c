"""What somebody meant by a word that is not among those that are known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

_ALSO_CALLED: Mapping[str, str] = {
    # parameters
    "learning_rate": "lr alpha rate learningrate eta step_size",
    "batch_size": "batch bs batchsize",
    "optimizer": "optimiser opt optim",
    "momentum": "mom",
    "beta_1": "beta1 b1",
    "beta_2": "beta2 b2",
    "epsilon": "eps",
    "weight_decay": "wd decay weightdecay l2",
    "clipnorm": "clip clip_norm grad_clip gradient_clip max_norm",
    "clipvalue": "clip_value",
    "schedule": "scheduler lr_schedule lr_scheduler learning_rate_schedule",
    "warmup_epochs": "warmup warm_up",
    # metrics, and losses of the same name
    "accuracy": "acc val_accuracy val_acc binary_accuracy categorical_accuracy "
    "sparse_categorical_accuracy",
    "roc_auc": "auc auroc roc rocauc roc_auc_score",
    "pr_auc": "auprc ap average_precision aucpr prauc",
    "f1": "f1_score fscore f_score",
    "cohen_kappa": "kappa",
    "mcc": "matthews matthews_corrcoef",
    "log_loss": "logloss nll crossentropy cross_entropy",
    "r2": "r2_score rsquared r_squared",
    "rmse": "root_mean_squared_error",
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "mean_squared_error": "mse l2_loss",
    "mean_absolute_error": "mae l1 l1_loss",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_logarithmic_error": "msle",
    "binary_crossentropy": "bce",
    "categorical_crossentropy": "cce",
    "sparse_categorical_crossentropy": "scce crossentropy cross_entropy ce nll",
    "kl_divergence": "kld kullback_leibler_divergence",
    "categorical_focal_crossentropy": "focal focal_loss",
    "log_cosh": "logcosh",
    "huber": "huber_loss smooth_l1",
    # the rest
    "maximize": "max maximise up higher highest",
    "minimize": "min minimise down lower lowest",
    "classification": "classify classifier binary multiclass",
    "regression": "regress regressor",
    "standard": "standardize standardise zscore standard_scaler",
    "minmax": "min_max normalize normalise minmax_scaler",
    "grid": "grid_search exhaustive full",
    "random": "random_search rand",
    "fresh": "scratch new none",
    "uploaded": "pretrained keep warm",
    "sgd": "gd gradient_descent",
    # submit()'s arguments
    "validation": "validation_split validation_data val val_split",
    "test": "test_size test_split",
    "trials": "n_trials max_trials num_trials iterations",
    "epochs": "n_epochs num_epochs max_epochs",
    "folds": "cv n_splits n_folds kfold k",
    "target": "y label labels target_column",
    "features": "columns feature_columns",
    "seed": "random_state random_seed",
    "search": "space search_space hyperparameters params parameters",
    "metric": "metrics objective scoring",
}
_CLOSE = 0.7
MISSING_WORDS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""What a table means by a missing value, unless it stands in quotation marks among words."""


def meant(word: str, known: Iterable[str]) -> str | None:
    """Give the known word that was probably meant; None where none is near.

    The word in another case or with other marks, another usual name of it, or a like spelling.
    """
    words = list(known)
    plain = re.sub(r"[^a-z0-9]+", "_", word[:80].lower()).strip("_")
    if plain in words:
        return plain
    for candidate in words:
        if plain in _ALSO_CALLED.get(candidate, "").split():
            return candidate
    near = difflib.get_close_matches(plain, words, 1, _CLOSE)
    return near[0] if near else None
