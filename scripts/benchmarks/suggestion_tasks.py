"""The tasks of suggestions.py: small networks on small data, different in what moves the best rate.

A method may be tuned on the "tune" tasks and is reported on the others; the split was made beforehand. Both
hold classification, regression and reconstruction, images, tables and sequences, clipped gradients and
transformers. A task that was reported once is tuned on afterwards: the next rule has seen its table. A task
whose response was flat was made harder; no method had been scored on a reported task by then.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import suggestion_data as data_of
import suggestion_networks as networks
from keras import layers, optimizers
from sklearn import datasets, metrics
from suggestion_data import Data

SGD_RATES = (1e-5, 10.0)
ADAPTIVE_RATES = (1e-6, 1.0)
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Metric:
    """Points, 0 to 100, higher is better, and what a network that has learnt nothing gets of the targets."""

    name: str
    chance: Callable[[np.ndarray], float]
    points: Callable[[np.ndarray, np.ndarray], float]


def _accuracy(y: np.ndarray, predicted: np.ndarray) -> float:
    return 100 * float(np.mean(predicted.argmax(axis=-1) == _class_of(y)))


def _share_of_most_frequent(y: np.ndarray) -> float:
    return 100 * float(np.bincount(_class_of(y)).max() / len(y))


def _class_of(y: np.ndarray) -> np.ndarray:
    return y.argmax(axis=-1) if y.ndim > 1 else y


def _accuracy_of_places(y: np.ndarray, predicted: np.ndarray) -> float:
    return _accuracy(y.ravel(), predicted.reshape(y.size, -1))


def _share_of_most_frequent_place(y: np.ndarray) -> float:
    return _share_of_most_frequent(y.ravel())


def _roc_auc(y: np.ndarray, predicted: np.ndarray) -> float:
    predicted = predicted.reshape(y.shape)
    return 100 * float(metrics.roc_auc_score(y, predicted, average="macro"))


def _overlap(y: np.ndarray, predicted: np.ndarray) -> float:
    chosen, wanted = predicted > 0.5, y > 0.5
    return 100 * float((chosen & wanted).sum() / max(1, (chosen | wanted).sum()))


def _explained(y: np.ndarray, predicted: np.ndarray, score: Callable = metrics.r2_score) -> float:
    """A score that is 1 at its best and 0 for a constant; of several columns the first are predictions."""
    y = y.reshape(len(y), -1)
    predicted = predicted.reshape(len(y), -1)[:, : y.shape[1]].astype("float64")
    if y.shape[1] == 1:
        y, predicted = y[:, 0], predicted[:, 0]
    return 100 * max(0.0, float(score(y, predicted)))


def _poisson_deviance(y: np.ndarray, predicted: np.ndarray) -> float:
    return metrics.d2_tweedie_score(y, np.maximum(predicted, 1e-6), power=1)


def _cosine(y: np.ndarray, predicted: np.ndarray) -> float:
    lengths = np.maximum(np.linalg.norm(predicted, axis=1), 1e-12)
    return 100 * max(0.0, float(np.mean((y * predicted).sum(axis=1) / lengths)))


def _explained_logarithms(y: np.ndarray, predicted: np.ndarray) -> float:
    return _explained(np.log1p(y), np.log1p(np.maximum(predicted, 0)))


def _explained_quantiles(y: np.ndarray, predicted: np.ndarray) -> float:
    """Of the mean pinball loss, how much less it is than that of the targets' own quantiles."""
    errors = [
        np.mean(
            [
                metrics.mean_pinball_loss(y, column, alpha=share)
                for share, column in zip(QUANTILES, of, strict=True)
            ]
        )
        for of in (np.quantile(y, QUANTILES)[:, None].repeat(len(y), 1), predicted.T)
    ]
    return 100 * max(0.0, 1 - float(errors[1] / errors[0]))


def _nothing(y: np.ndarray) -> float:
    return 0.0


ACCURACY = Metric("accuracy", _share_of_most_frequent, _accuracy)
ROC_AUC = Metric("area under the ROC curve", lambda y: 50.0, _roc_auc)
R2 = Metric("R2, at least 0", _nothing, _explained)
VARIANCE = Metric(  # of columns together: a corner that is nearly always black would decide a mean of them
    "R2 of all columns together, at least 0",
    _nothing,
    partial(_explained, score=partial(metrics.r2_score, multioutput="variance_weighted")),
)
ABSOLUTE = Metric(
    "absolute error explained, at least 0",
    _nothing,
    partial(_explained, score=metrics.d2_absolute_error_score),
)
DEVIANCE = Metric(
    "Poisson deviance explained, at least 0", _nothing, partial(_explained, score=_poisson_deviance)
)
COSINE = Metric("mean cosine, at least 0", _nothing, _cosine)
PLACES = Metric("accuracy of all places", _share_of_most_frequent_place, _accuracy_of_places)
LOGARITHMS = Metric("R2 of the logarithm, at least 0", _nothing, _explained_logarithms)
PINBALL = Metric("pinball loss explained, at least 0", _nothing, _explained_quantiles)
OVERLAP = Metric("intersection over union", lambda y: 100 * float(y.mean()), _overlap)


@keras.saving.register_keras_serializable("suggestion_tasks")
def normal_likelihood(y: np.ndarray, predicted: np.ndarray):
    """Negative logarithm of the likelihood under a normal distribution; predicted are mean and logarithm."""
    mean, logarithm = predicted[:, :1], predicted[:, 1:]
    return logarithm + 0.5 * keras.ops.square(
        (keras.ops.reshape(y, (-1, 1)) - mean) / keras.ops.exp(logarithm)
    )


@keras.saving.register_keras_serializable("suggestion_tasks")
def pinball(y: np.ndarray, predicted: np.ndarray):
    """The loss of which the `QUANTILES` are the minimum."""
    over = keras.ops.reshape(y, (-1, 1)) - predicted
    shares = keras.ops.convert_to_tensor(QUANTILES, dtype=predicted.dtype)
    return keras.ops.mean(keras.ops.maximum(shares * over, (shares - 1) * over), axis=-1)


@keras.saving.register_keras_serializable("suggestion_tasks")
def smoothed_crossentropy(y: np.ndarray, predicted: np.ndarray):
    return keras.losses.categorical_crossentropy(y, predicted, label_smoothing=0.1)


@keras.saving.register_keras_serializable("suggestion_tasks")
def gamma(y: np.ndarray, predicted: np.ndarray):
    """Negative logarithm of the likelihood under a gamma distribution of shape 1 with that mean."""
    predicted = keras.ops.maximum(predicted, 1e-6)
    return keras.ops.reshape(y, (-1, 1)) / predicted + keras.ops.log(predicted)


@keras.saving.register_keras_serializable("suggestion_tasks")
def dice(y: np.ndarray, predicted: np.ndarray):
    """One less the overlap of all pixels of a batch."""
    return keras.losses.dice(keras.ops.reshape(y, keras.ops.shape(predicted)), predicted)


@dataclass(frozen=True)
class Task:
    """One thing to learn, with everything but the learning rate.

    Args:
        name: String, also the name of its JSON.
        split: String, "tune" or "report".
        data: Function to `Data`, of the path of the table of wines where it `needs_csv`.
        model: Function to a model that is not compiled.
        optimizer: Function of a learning rate to an optimizer.
        batch_size: Int.
        budget_steps: Int, how many steps a training takes, a multiple of 4.
        loss: String, Keras's name of the loss, or a loss of the task's own.
        metric: `Metric` of the validation data.
        rates: Tuple of floats, between which the grid of `max_lr` lies at first.
        needs_csv: Bool, whether `data` takes the path of a table.
    """

    name: str
    split: str
    data: Callable[..., Data]
    model: Callable[[], keras.Model]
    optimizer: Callable[..., optimizers.Optimizer]
    batch_size: int
    budget_steps: int
    loss: str | Callable = "sparse_categorical_crossentropy"
    metric: Metric = ACCURACY
    rates: tuple[float, float] = SGD_RATES
    needs_csv: bool = False


_sgd, _adam, _rmsprop = optimizers.SGD, optimizers.Adam, optimizers.RMSprop
_momentum = partial(_sgd, momentum=0.9)
_nesterov = partial(_sgd, momentum=0.9, nesterov=True)
_clipped_sgd = partial(_sgd, clipnorm=1.0)
_clipped_momentum = partial(_momentum, global_clipnorm=0.5)
_adamw = partial(optimizers.AdamW, weight_decay=0.01)
_clipped_adam = partial(_adam, clipvalue=0.01)
_lion = partial(optimizers.Lion, weight_decay=0.1)

_clothes = partial(data_of.fashion, 4096)
_pairs = partial(data_of.second_order, 16384)
_frequent = partial(data_of.most_frequent, 8192)
_friedman1 = partial(data_of.friedman, datasets.make_friedman1, 2048, 1.0)
_friedman2 = partial(data_of.friedman, datasets.make_friedman2, 2048, 50.0)
_friedman3 = partial(data_of.friedman, datasets.make_friedman3, 4096, 0.1)
_raw_friedman1 = partial(data_of.scaled_targets, _friedman1, 5.0, 14.0)
_tiny_friedman1 = partial(data_of.scaled_targets, _friedman1, 0.01, 0.0)
_large_friedman1 = partial(data_of.scaled_targets, _friedman1, 100.0, 0.0)
_rare, _rarer = partial(data_of.imbalanced, 8192, 0.04, 20), partial(data_of.imbalanced, 8192, 0.02, 30)
_labels, _counts = partial(data_of.labels, 4096), partial(data_of.counts, 4096)


def _itself(data: Callable[[], Data]) -> Callable[[], Data]:
    return lambda: data_of.without_targets(data())


def _few(data: Callable[[], Data], count: int) -> Callable[[], Data]:
    return lambda: data_of.few(data(), count)


def _digits_one_hot() -> Data:
    return data_of.one_hot(data_of.digits(), 10)


def _digits_signs() -> Data:
    return data_of.signs(data_of.digits(), 10)


def _soft_clothes() -> Data:
    return data_of.softened(_clothes())


_mlp = networks.mlp
_scalar = partial(_mlp, outputs=1, last="linear")
_binary = partial(_mlp, outputs=1, last="sigmoid")
_mlp_of_images = partial(_mlp, (14, 14, 1), (64, 64, 64))
_deep_tanh = partial(_mlp, (64,), (48,) * 6, "tanh")
_plain_cnn, _normed_cnn = partial(networks.cnn, False), partial(networks.cnn, True)
_group_cnn = partial(networks.normed_cnn_with, partial(layers.GroupNormalization, 4))
_layer_cnn = partial(networks.normed_cnn_with, layers.LayerNormalization)
_wide_cnn = partial(networks.normed_cnn_with, networks.norm, (16, 32, 32))
_residual, _googlenet = networks.residual, networks.narrow_minigooglenet
_pairs_gru, _pairs_lstm, _pairs_rnn = (
    partial(networks.recurrent, cell, 8, 12, 12) for cell in (layers.GRU, layers.LSTM, layers.SimpleRNN)
)
_sums_gru, _sums_lstm = (
    partial(networks.recurrent_regression, cell, (16, 2)) for cell in (layers.GRU, layers.LSTM)
)
_pairs_transformer = partial(networks.transformer, 8, 12, 12)
_frequent_transformer = partial(networks.transformer, 24, 8, 8)
_post_norm = partial(networks.post_norm_transformer, 24, 8, 8)
_topics = partial(_mlp, (30,), (64, 64), outputs=8, last="sigmoid")
_counted = partial(_mlp, (8,), (64, 64), outputs=1, last="exponential")
_directed = partial(_mlp, (12,), (64, 64), outputs=6, last="linear")

_adaptive = {"rates": ADAPTIVE_RATES}
_regression = {"loss": "mean_squared_error", "metric": R2}
_detection = {"loss": "binary_crossentropy", "metric": ROC_AUC}
_table = {"needs_csv": True, **_detection}
_shades = {"loss": "binary_crossentropy", "metric": R2}
_pixels = {"loss": "binary_crossentropy", "metric": OVERLAP}
_poisson = {"loss": "poisson", "metric": DEVIANCE}

# fmt: off
TUNE = [
    # tuned on, and reported on, in 0.1
    ("digits_mlp_momentum", data_of.digits, partial(_mlp, (64,), (64, 64)), _momentum, 32, 160, {}),
    ("fashion_cnn_bn_adam", _clothes, _normed_cnn, _adam, 64, 200, _adaptive),
    ("friedman1_mlp_rmsprop", _friedman1, partial(_scalar, (10,), (64, 64)), _rmsprop, 64, 240,
     {**_regression, **_adaptive}),
    ("second_order_gru_adamw", _pairs, _pairs_gru, _adamw, 128, 240, _adaptive),
    ("imbalanced_mlp_sgd", _rare, partial(_binary, (20,), (64, 64)), _sgd, 512, 300,
     {**_detection, "rates": (1e-4, 100.0)}),
    ("fashion_residual_momentum", _clothes, _residual, _momentum, 128, 200, {}),
    ("most_frequent_transformer_adam", _frequent, _frequent_transformer, _adam, 64, 300, _adaptive),
    ("friedman1_mlp_sgd", _friedman1, partial(_scalar, (10,), (64, 64, 64)), _sgd, 32, 300, _regression),
    ("imbalanced_mlp_adamw", _rarer, partial(_binary, (30,), (64, 64)), _adamw, 256, 200,
     {**_detection, **_adaptive}),
    ("wine_mlp_sgd", data_of.wine, partial(_binary, (12,), (32, 32, 32), "tanh"), _sgd, 128, 400, _table),
    ("breast_cancer_mlp_adam", data_of.breast_cancer, partial(_binary, (30,), (16, 16, 16)), _adam, 16, 60,
     {**_detection, **_adaptive}),
    ("fashion_cnn_momentum", _clothes, _plain_cnn, _momentum, 32, 300, {}),
    ("second_order_gru_momentum", _pairs, _pairs_gru, _momentum, 64, 300, {}),
    ("second_order_transformer_adamw", _pairs, _pairs_transformer, _adamw, 128, 300, _adaptive),
    ("fashion_residual_adamw", _clothes, _residual, _adamw, 64, 200, _adaptive),
    ("most_frequent_transformer_momentum", _frequent, _frequent_transformer, _momentum, 32, 400, {}),
    # new in 0.2
    ("second_order_rnn_clipped_sgd", _pairs, _pairs_rnn, _clipped_sgd, 64, 800, {}),
    ("most_frequent_post_norm_adam", _frequent, _post_norm, _adam, 64, 1200, _adaptive),
    ("digits_autoencoder_nadam", _itself(data_of.grey_digits), partial(networks.autoencoder, "sigmoid"),
     optimizers.Nadam, 64, 600, {**_shades, **_adaptive}),
    ("fashion_cnn_group_norm_nesterov", _clothes, _group_cnn, _nesterov, 64, 1000, {}),
    ("labels_mlp_adagrad", _labels, _topics, optimizers.Adagrad, 32, 400, _detection),
    ("counts_mlp_adam", _counts, _counted, _adam, 128, 300, {**_poisson, **_adaptive}),
    ("friedman2_linear_sgd", _friedman2, partial(_scalar, (4,), ()), _sgd, 16, 200, _regression),
    ("fashion_mask_unet_momentum", partial(data_of.masks, 2048), networks.unet, _momentum, 16, 200, _pixels),
    ("digits_mlp_lion", data_of.digits, partial(_mlp, (64,), (64, 64)), _lion, 4, 1600,
     {"rates": (1e-7, 0.1)}),
    ("fashion_convnext_adamw", _clothes, networks.convnext, _adamw, 32, 2000, _adaptive),
    # reported on until the rule for trying was chosen anew
    ("diabetes_mlp_momentum", data_of.diabetes, partial(_scalar, (10,), (32, 32)), _momentum, 16, 100,
     _regression),
    ("friedman3_mlp_adam", _friedman3, partial(_scalar, (4,), (64, 64), "tanh"), _adam, 256, 300,
     {**_regression, **_adaptive}),
    ("wine_mlp_rmsprop", data_of.wine, partial(_binary, (12,), (64, 64)), _rmsprop, 32, 240,
     {**_table, **_adaptive}),
    ("digits_deep_tanh_momentum", data_of.digits, _deep_tanh, _momentum, 512, 100, {}),
    ("fashion_mlp_sgd", _clothes, _mlp_of_images, _sgd, 64, 240, {}),
    ("fashion_cnn_bn_sgd", _clothes, _normed_cnn, _sgd, 16, 300, {}),
    ("second_order_lstm_rmsprop", _pairs, _pairs_lstm, _rmsprop, 64, 300, _adaptive),
    ("fashion_cnn_adam", _clothes, _plain_cnn, _adam, 128, 200, _adaptive),
    ("fashion_minigooglenet_momentum", _clothes, _googlenet, _momentum, 32, 200, {}),
    ("fashion_minigooglenet_rmsprop", _clothes, _googlenet, _rmsprop, 16, 200, _adaptive),
    ("second_order_lstm_clipped_momentum", _pairs, _pairs_lstm, _clipped_momentum, 128, 1000, {}),
    ("second_order_two_block_transformer_adam", _pairs, partial(_pairs_transformer, blocks=2), _adam,
     64, 1600, _adaptive),
    ("fashion_autoencoder_momentum", _itself(_clothes), networks.image_autoencoder, _momentum, 64, 400,
     {**_regression, "metric": VARIANCE}),
    ("digits_variational_adam", _itself(data_of.grey_digits), networks.variational_autoencoder, _adam,
     32, 800, {**_shades, **_adaptive}),
    ("friedman1_likelihood_rmsprop", _friedman1, partial(_mlp, (10,), (64, 64), outputs=2, last="linear"),
     _rmsprop, 64, 400, {"loss": normal_likelihood, "metric": R2, **_adaptive}),
    ("counts_mlp_momentum", _counts, _counted, _momentum, 64, 300, _poisson),
    ("heavy_tails_mlp_adamax", partial(data_of.heavy_tails, 4096), partial(_scalar, (10,), (64, 64), "gelu"),
     optimizers.Adamax, 64, 500, {"loss": "mean_absolute_error", "metric": ABSOLUTE, **_adaptive}),
    ("labels_mlp_focal_nesterov", _labels, _topics, _nesterov, 128, 300,
     {"loss": "binary_focal_crossentropy", "metric": ROC_AUC}),
    ("directions_mlp_adam", partial(data_of.directions, 4096), _directed, _adam, 32, 600,
     {"loss": "cosine_similarity", "metric": COSINE, **_adaptive}),
    ("digits_hinge_sgd", _digits_one_hot, partial(_mlp, (64,), (64,), last="linear"), _sgd, 8, 500,
     {"loss": "categorical_hinge"}),
    ("sums_gru_clipped_adam", partial(data_of.sums, 8192), _sums_gru, _clipped_adam, 64, 1000,
     {**_regression, **_adaptive}),
    ("waves_conv_lamb", partial(data_of.moving_waves, 8192), networks.conv_of_waves, optimizers.Lamb,
     256, 300, _adaptive),
    ("fashion_mask_unet_adam", partial(data_of.masks, 2048), networks.unet, _adam, 16, 300,
     {**_pixels, **_adaptive}),
    ("fashion_dropped_mlp_nesterov", _clothes, networks.dropped_mlp, _nesterov, 32, 3000, {}),
    ("raw_fashion_cnn_layer_norm_nadam", partial(data_of.raw_fashion, 4096), _layer_cnn, optimizers.Nadam, 64,
     600, _adaptive),
    ("second_order_embedded_mlp_adagrad", _pairs, partial(networks.embedded_mlp, 8, 12, 12),
     optimizers.Adagrad, 32, 1500, {}),
    ("few_breast_cancer_selu_adamw", _few(data_of.breast_cancer, 64),
     partial(_binary, (30,), (64, 64), "selu"), _adamw, 64, 100, {**_detection, **_adaptive}),
    ("friedman1_mlp_pairs_sgd", _few(_friedman1, 512), partial(_scalar, (10,), (32, 32)), _sgd, 2, 1200,
     _regression),
    # reported on until it was chosen once more
    ("fashion_linear_ftrl", _clothes, partial(_mlp, (14, 14, 1), ()), optimizers.Ftrl, 64, 300,
     {"rates": (1e-4, 100.0)}),
    ("waves_of_a_picture_siren_adam", partial(data_of.picture, 4096), networks.siren, _adam, 128, 600,
     {**_regression, **_adaptive}),
    ("ratings_factors_amsgrad", partial(data_of.ratings, 16384, 200, 150),
     partial(networks.factors, 200, 150), partial(_adam, amsgrad=True), 256, 500,
     {"loss": "huber", "metric": R2, **_adaptive}),
    ("tagged_bidirectional_lstm_adam", partial(data_of.tagged, 4096), partial(networks.tagger, 10, 3), _adam,
     32, 600, {"metric": PLACES, **_adaptive}),
    ("next_tokens_rms_norm_adamw", partial(data_of.next_tokens, 8192),
     partial(networks.language_model, 12, 12), partial(_adamw, beta_2=0.95), 32, 600,
     {"metric": PLACES, **_adaptive}),
    ("fashion_vision_transformer_adafactor", _clothes, networks.vision_transformer,
     partial(optimizers.Adafactor, relative_step=False), 16, 800, {"rates": (1e-5, 10.0)}),
    ("fashion_mixer_muon", _clothes, networks.mixer, optimizers.Muon, 16, 600, _adaptive),
    ("fashion_separable_rmsprop_momentum", _clothes, networks.separable,
     partial(_rmsprop, momentum=0.9, centered=True), 16, 600, _adaptive),
    ("fashion_dense_blocks_decayed_momentum", _clothes, networks.dense_blocks,
     partial(_momentum, weight_decay=5e-4), 8, 1200, {}),
    ("fashion_deep_relu_sgd", _clothes, networks.deep_relu, _sgd, 128, 600, {}),
    ("fashion_mask_dice_nadam", partial(data_of.masks, 2048), networks.unet, optimizers.Nadam, 8, 400,
     {"loss": dice, "metric": OVERLAP, **_adaptive}),
    ("heavy_tails_quantiles_adadelta", partial(data_of.heavy_tails, 4096),
     partial(_mlp, (10,), (64, 64), outputs=3, last="linear"), optimizers.Adadelta, 64, 600,
     {"loss": pinball, "metric": PINBALL, "rates": (1e-3, 1000.0)}),
    ("amounts_logarithms_momentum", partial(data_of.amounts, 4096),
     partial(_mlp, (8,), (64, 64), outputs=1, last="softplus"), _momentum, 64, 400,
     {"loss": "mean_squared_logarithmic_error", "metric": LOGARITHMS}),
    ("past_causal_convolutions_clipped_nadam", partial(data_of.past, 8192),
     partial(networks.causal_convolutions, 24, 2), partial(optimizers.Nadam, clipnorm=0.1), 16, 800,
     {"loss": "log_cosh", "metric": R2, **_adaptive}),
    ("sets_mean_adam", partial(data_of.sets, 8192), partial(networks.deep_set, 12, 3),
     partial(_adam, beta_1=0.5), 512, 400, {**_regression, **_adaptive}),
    ("digits_squared_hinge_momentum", _digits_signs,
     partial(_mlp, (64,), (48, 48), "leaky_relu", last="linear"), _momentum, 32, 160,
     {"loss": "squared_hinge"}),
    ("digits_sigmoid_smoothed_momentum", _digits_one_hot, partial(_mlp, (64,), (32, 32), "sigmoid"),
     _momentum, 64, 1200, {"loss": smoothed_crossentropy}),
    ("digits_one_at_a_time_sgd", data_of.digits, partial(_mlp, (64,), (32,)), _sgd, 1, 2000, {}),
    ("fashion_taught_cnn_adam", _soft_clothes, _plain_cnn, _adam, 32, 300,
     {"loss": "kl_divergence", **_adaptive}),
    ("noisy_fashion_denoiser_lion", _itself(partial(data_of.fashion, 4096)), networks.denoiser,
     optimizers.Lion, 16, 500, {"loss": "mean_absolute_error", "metric": VARIANCE, "rates": (1e-7, 0.1)}),
    ("fashion_normed_mlp_batch_1024_momentum", partial(data_of.fashion, 8192),
     partial(networks.normed_mlp, (14, 14, 1), (64, 64)), _momentum, 1024, 120, {"rates": (1e-4, 100.0)}),
    ("fashion_squeezed_adam", _clothes, networks.squeezed, partial(_adam, beta_2=0.9), 16, 600, _adaptive),
    ("second_order_stacked_gru_accumulated_rmsprop", _pairs, partial(networks.stacked_gru, 8, 12, 12),
     partial(_rmsprop, gradient_accumulation_steps=4), 32, 800, _adaptive),
    ("parity_mlp_momentum", partial(data_of.parity, 4096), partial(_binary, (12,), (64,)), _momentum, 64, 800,
     {**_detection}),
    ("fashion_frozen_convolutions_sgd", _clothes, networks.frozen_convolutions, _sgd, 32, 400, {}),
    ("fashion_spectral_momentum", _clothes, networks.spectral, _momentum, 32, 400, {}),
    ("wine_quality_gated_adamax", data_of.wine_quality, partial(networks.gated_mlp, 12), optimizers.Adamax,
     64, 2400, {**_regression, **_adaptive, "needs_csv": True}),
    ("spirals_mlp_adam", partial(data_of.spirals, 2048), partial(_binary, (2,), (32, 32, 32), "elu"), _adam,
     64, 800, {**_detection, **_adaptive}),
    ("digits_images_cnn_rmsprop", data_of.images_of_digits, networks.digits_cnn, _rmsprop, 32, 200,
     _adaptive),
    ("digits_images_normed_cnn_lamb", data_of.images_of_digits, partial(networks.digits_cnn, networks.norm),
     optimizers.Lamb, 128, 160, _adaptive),
    ("digits_rows_lstm_adam", data_of.rows_of_digits, partial(networks.recurrent_rows, layers.LSTM), _adam,
     32, 400, _adaptive),
    ("digits_rows_rnn_clipped_nesterov", data_of.rows_of_digits,
     partial(networks.recurrent_rows, layers.SimpleRNN), partial(_nesterov, clipnorm=1.0), 16, 600, {}),
    ("raw_targets_mlp_adam", _raw_friedman1, partial(_scalar, (10,), (64, 64)), _adam, 32, 600,
     {**_regression, **_adaptive}),
    ("raw_targets_mlp_clipped_sgd", _raw_friedman1, partial(_scalar, (10,), (32, 32), "tanh"), _clipped_sgd,
     64, 500, _regression),
    ("tiny_targets_mlp_momentum", _tiny_friedman1, partial(_scalar, (10,), (64, 64)), _momentum, 64, 500,
     {**_regression, "rates": (1e-4, 100.0)}),
    ("reversed_transformer_adamw", partial(data_of.reversed_tokens, 8192),
     partial(networks.sequence_transformer, 10, 12), _adamw, 64, 800, {"metric": PLACES, **_adaptive}),
    ("same_digit_siamese_adam", data_of.pairs_of_digits, networks.siamese, _adam, 64, 600,
     {**_detection, **_adaptive}),
    ("diabetes_linear_adam", data_of.diabetes, partial(_scalar, (10,), ()), _adam, 32, 200,
     {**_regression, "rates": (1e-5, 10.0)}),
    ("amounts_gamma_rmsprop", partial(data_of.amounts, 4096),
     partial(_mlp, (8,), (48, 48), "swish", outputs=1, last="exponential"), _rmsprop, 128, 400,
     {"loss": gamma, "metric": LOGARITHMS, **_adaptive}),
    ("graphs_message_passing_adam", partial(data_of.graphs, 4096), networks.message_passing, _adam, 64, 500,
     {**_regression, **_adaptive}),
    ("digits_mlp_muon", data_of.digits, partial(_mlp, (64,), (64, 64), "gelu"), optimizers.Muon, 64, 240,
     _adaptive),
    ("digits_full_batch_sgd", data_of.digits, partial(_mlp, (64,), (48, 48)), _sgd, 1024, 200,
     {"rates": (1e-4, 100.0)}),
    ("next_tokens_gru_adafactor", partial(data_of.next_tokens, 8192),
     partial(networks.recurrent_model, 12, 12), partial(optimizers.Adafactor, relative_step=False), 32, 500,
     {"metric": PLACES, "rates": (1e-5, 10.0)}),
    ("most_frequent_convolutions_nesterov", _frequent, partial(networks.convolutions_of_tokens, 24, 8, 8),
     _nesterov, 32, 600, {}),
    ("friedman3_highway_momentum", _friedman3, partial(networks.highway, 4), _momentum, 128, 600,
     _regression),
    ("digits_rezero_adam", data_of.digits, partial(networks.rezero, 64), _adam, 32, 300, _adaptive),
    ("friedman1_experts_nadam", _friedman1, partial(networks.experts, 10), optimizers.Nadam, 64, 500,
     {**_regression, **_adaptive}),
    ("bags_attention_momentum", partial(data_of.bags, 8192), partial(networks.attention_of_bags, 10, 2),
     _momentum, 64, 800, _detection),
    ("noisy_labels_mlp_adam", data_of.digits_of_which_some_are_wrong, partial(_mlp, (64,), (64, 64)), _adam,
     32, 600, _adaptive),
    ("few_friedman1_mlp_adamw", _few(_friedman1, 192), partial(_scalar, (10,), (64, 64)), _adamw, 16, 400,
     {**_regression, **_adaptive}),
    ("fashion_normed_cnn_lion", _clothes, _normed_cnn, _lion, 32, 400, {"rates": (1e-7, 0.1)}),
    ("fashion_dropped_cnn_decayed_nesterov", _clothes, networks.dropped_cnn,
     partial(_nesterov, weight_decay=1e-3), 32, 500, {}),
    ("forecast_lstm_adamax", partial(data_of.oscillations, 4096),
     partial(networks.recurrent_regression, layers.LSTM, (20, 1)), optimizers.Adamax, 64, 600,
     {"loss": "huber", "metric": R2, **_adaptive}),
    ("rare_wide_and_deep_adagrad", _rare, partial(networks.wide_and_deep, 20), optimizers.Adagrad, 128, 600,
     {**_detection, "rates": (1e-4, 100.0)}),
]
REPORT = [
    ("moons_mlp_sgd", partial(data_of.moons, 1024), partial(_binary, (2,), (32, 32), "tanh"), _sgd, 32, 500,
     _detection),
    ("digits_images_residual_nadam", data_of.images_of_digits, networks.digits_residual, optimizers.Nadam, 32,
     200, _adaptive),
    ("checkerboard_mlp_adamax", partial(data_of.checkerboard, 4096), partial(_binary, (2,), (64, 64)),
     optimizers.Adamax, 64, 800, {**_detection, **_adaptive}),
    ("preferences_adagrad", partial(data_of.preferences, 8192, 100), partial(networks.preferences, 100),
     optimizers.Adagrad, 128, 400, {**_detection, "rates": (1e-4, 100.0)}),
    ("sorted_transformer_lion", partial(data_of.sorted_tokens, 8192),
     partial(networks.sequence_transformer, 8, 10), _lion, 64, 500,
     {"metric": PLACES, "rates": (1e-7, 0.1)}),
    ("running_parity_gru_nesterov", partial(data_of.running_parity, 4096),
     partial(networks.recurrent_model, 12, 2), _nesterov, 32, 600, {"metric": PLACES}),
    ("delayed_lstm_rmsprop", partial(data_of.delayed, 8192), partial(networks.recurrent_tagger, 12, 6),
     _rmsprop, 64, 500, {"metric": PLACES, **_adaptive}),
    ("series_convolutions_momentum", partial(data_of.series, 4096),
     partial(networks.convolutions_of_series, 24), _momentum, 64, 400, {"loss": "huber", "metric": R2}),
    ("sparse_linear_adam", partial(data_of.sparse_linear, 512), partial(networks.lasso, 100), _adam, 32, 300,
     {**_regression, **_adaptive}),
    ("words_of_topics_momentum", partial(data_of.bags_of_words, 2048), partial(_mlp, (200,), (), outputs=5),
     _momentum, 64, 200, {}),
    ("many_zeros_counts_nadam", partial(data_of.many_zeros, 4096), _counted, optimizers.Nadam, 64, 400,
     {**_poisson, **_adaptive}),
    ("digits_images_mixed_convolutions_adamw", data_of.images_of_digits, networks.mixed_convolutions,
     partial(_adamw, weight_decay=0.05), 64, 160, _adaptive),
    ("digits_images_all_convolutions_sgd", data_of.images_of_digits, networks.all_convolutions, _sgd, 16, 500,
     {}),
    ("fashion_inverted_bottlenecks_rmsprop", _clothes, networks.inverted_bottlenecks,
     partial(_rmsprop, momentum=0.9), 64, 300, _adaptive),
    ("topics_embedded_adam", partial(data_of.topics, 4096), partial(networks.mean_of_embeddings, 20, 60, 6),
     _adam, 32, 300, _adaptive),
    ("angles_mlp_momentum", partial(data_of.angles, 2048), partial(_mlp, (6,), (48, 48), "gelu", outputs=2,
     last="linear"), _momentum, 32, 500, _regression),
    ("determinants_mlp_adamw", partial(data_of.determinants, 8192), partial(_scalar, (9,), (96, 96)), _adamw,
     128, 1200, {**_regression, **_adaptive}),
    ("shapes_cnn_adam", partial(data_of.shapes, 2048), networks.cnn_of_shapes, _adam, 32, 300, _adaptive),
    ("spots_cnn_momentum", partial(data_of.spots, 2048), networks.counting_cnn, _momentum, 32, 400,
     _regression),
    ("waves_autoencoder_sgd", partial(data_of.clean_waves, 2048), partial(networks.autoencoder_of, 32), _sgd,
     16, 1000, {**_regression, "metric": VARIANCE, "rates": (1e-4, 100.0)}),
    ("categories_embedded_momentum", partial(data_of.categories, 4096),
     partial(networks.embedded_columns, 6, 10), _momentum, 64, 500, _regression),
    ("friedman2_mlp_absolute_rmsprop", _friedman2, partial(_scalar, (4,), (48, 48)), _rmsprop, 32, 400,
     {"loss": "mean_absolute_error", "metric": R2, **_adaptive}),
    ("trends_gru_clipped_adamw", partial(data_of.trends, 4096),
     partial(networks.recurrent_binary, layers.GRU, (24, 1)), partial(_adamw, clipnorm=1.0), 64, 400,
     {**_detection, **_adaptive}),
    ("unscaled_inputs_mlp_adam", partial(data_of.unscaled_inputs, _friedman1),
     partial(_scalar, (10,), (64, 64)), _adam, 64, 600, {**_regression, **_adaptive}),
    ("large_targets_huber_momentum", _large_friedman1, partial(_scalar, (10,), (48, 48)), _momentum, 32, 600,
     {"loss": "huber", "metric": R2}),
    ("faint_digits_autoencoder_adam", partial(data_of.faint, 0.05), partial(networks.autoencoder, "linear"),
     _adam, 64, 500, {**_regression, "metric": VARIANCE, **_adaptive}),
    # for shorter and longer trainings than these; added when they had been scored, for the rule as it was
    ("digits_wide_mlp_nadam", data_of.digits, partial(_mlp, (64,), (128,)), optimizers.Nadam, 64, 100,
     _adaptive),
    ("friedman1_swish_mlp_nesterov", _friedman1, partial(_scalar, (10,), (64, 64), "swish"), _nesterov, 64,
     2400, _regression),
    ("fashion_gelu_mlp_adamw", _clothes, partial(_mlp, (14, 14, 1), (64, 64), "gelu"), _adamw, 64, 3000,
     _adaptive),
]
# fmt: on
TASKS = [
    Task(name, split, data, model, optimizer, batch_size, budget_steps, **settings)
    for split, rows in (("tune", TUNE), ("report", REPORT))
    for name, data, model, optimizer, batch_size, budget_steps, settings in rows
]
