"""Small networks for the tasks of suggestion_tasks.py."""

import keras
from keras import layers

from pyimagesearch_lr.layers import FusedBatchNormalization


def norm():
    """Batch normalisation whose averages follow within 200 steps."""
    return FusedBatchNormalization(momentum=0.9)


def mlp(shape: tuple, widths: tuple, activation: str = "relu", outputs: int = 10, last: str = "softmax"):
    inputs = keras.Input(shape)
    x = layers.Flatten()(inputs) if len(shape) > 1 else inputs
    for width in widths:
        x = layers.Dense(width, activation=activation)(x)
    return keras.Model(inputs, layers.Dense(outputs, activation=last)(x))


def cnn(batch_norm: bool):
    inputs = x = keras.Input((14, 14, 1))
    for filters in (8, 16, 16):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = norm()(x) if batch_norm else x
        x = layers.MaxPooling2D()(layers.Activation("relu")(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def residual(filters: int = 8, blocks: int = 2):
    inputs = keras.Input((14, 14, 1))
    x = layers.Conv2D(filters, 3, strides=2, padding="same")(inputs)
    for _ in range(blocks):
        y = layers.Activation("relu")(norm()(x))
        y = layers.Conv2D(filters, 3, padding="same")(y)
        y = layers.Activation("relu")(norm()(y))
        x = layers.Add()([x, layers.Conv2D(filters, 3, padding="same")(y)])
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(norm()(x)))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def narrow_minigooglenet(share: int = 16):
    """MiniGoogLeNet's modules in their order, with a 16th of the filters, for images of 14x14."""

    def conv(x, filters, size, strides=1, padding="same"):
        x = layers.Conv2D(max(2, filters // share), size, strides=strides, padding=padding)(x)
        return layers.Activation("relu")(norm()(x))

    def inception(x, filters_1x1, filters_3x3):
        return layers.Concatenate()([conv(x, filters_1x1, 1), conv(x, filters_3x3, 3)])

    def downsample(x, filters):
        return layers.Concatenate()([conv(x, filters, 3, 2, "valid"), layers.MaxPooling2D(3, 2)(x)])

    inputs = keras.Input((14, 14, 1))
    x = conv(inputs, 96, 3)
    for filters in ((32, 32), (32, 48)):
        x = inception(x, *filters)
    x = downsample(x, 80)
    for filters in ((112, 48), (96, 64), (80, 80), (48, 96)):
        x = inception(x, *filters)
    x = downsample(x, 96)
    for filters in ((176, 160), (176, 160)):
        x = inception(x, *filters)
    x = layers.Flatten()(layers.Dropout(0.5)(layers.AveragePooling2D(2)(x)))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="narrow_minigooglenet")


class _Places(layers.Layer):
    """Adds a learnt vector for each place in the sequence."""

    def build(self, shape):
        self.places = self.add_weight(shape=shape[1:], initializer="uniform")

    def call(self, x):
        return x + self.places


def transformer(length: int, tokens: int, classes: int, width: int = 16, blocks: int = 1):
    inputs = keras.Input((length,), dtype="int32")
    x = _Places()(layers.Embedding(tokens, width)(inputs))
    for _ in range(blocks):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(2, width // 2)(y, y)
        y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(width)(y)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def recurrent(cell: type, length: int, tokens: int, classes: int, width: int = 24):
    inputs = keras.Input((length,), dtype="int32")
    x = cell(width, unroll=True)(layers.Embedding(tokens, 16)(inputs))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def normed_cnn_with(norm, filters: tuple = (8, 16, 16), outputs: int = 10):
    inputs = x = keras.Input((14, 14, 1))
    for count in filters:
        x = layers.Conv2D(count, 3, padding="same")(x)
        x = layers.MaxPooling2D()(layers.Activation("relu")(norm()(x)))
    return keras.Model(inputs, layers.Dense(outputs, activation="softmax")(layers.Flatten()(x)))


def convnext(width: int = 12, blocks: int = 2):
    """Depthwise convolutions, layer normalisation and a wide layer for each pixel, added to what comes in."""
    inputs = keras.Input((14, 14, 1))
    x = layers.Conv2D(width, 2, strides=2)(inputs)
    for _ in range(blocks):
        y = layers.LayerNormalization()(layers.DepthwiseConv2D(5, padding="same")(x))
        x = x + layers.Dense(width)(layers.Dense(4 * width, activation="gelu")(y))
    x = layers.LayerNormalization()(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def unet(filters: int = 8):
    inputs = keras.Input((14, 14, 1))
    fine = layers.Conv2D(filters, 3, padding="same", activation="relu")(inputs)
    coarse = layers.Conv2D(2 * filters, 3, padding="same", activation="relu")(layers.MaxPooling2D()(fine))
    x = layers.Concatenate()([layers.UpSampling2D()(coarse), fine])
    x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


def autoencoder(last: str, middle: int = 8, activation: str = "relu"):
    inputs = keras.Input((64,))
    x = layers.Dense(48, activation=activation)(inputs)
    x = layers.Dense(48, activation=activation)(layers.Dense(middle)(x))
    return keras.Model(inputs, layers.Dense(64, activation=last)(x))


def image_autoencoder(filters: int = 8):
    inputs = keras.Input((14, 14, 1))
    x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(inputs)
    x = layers.Dense(16)(layers.Flatten()(x))
    x = layers.Reshape((7, 7, filters))(layers.Dense(49 * filters, activation="relu")(x))
    return keras.Model(inputs, layers.Conv2DTranspose(1, 3, strides=2, padding="same")(x))


class _Sampled(layers.Layer):
    """Draws from the given normal distribution, and adds its divergence to the loss."""

    def __init__(self, share: float = 0.01, **kwargs):
        super().__init__(**kwargs)
        self.share = share
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, mean, log_variance):
        divergence = keras.ops.square(mean) + keras.ops.exp(log_variance) - 1 - log_variance
        self.add_loss(self.share * keras.ops.mean(divergence))
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seeds)
        return mean + keras.ops.exp(0.5 * log_variance) * noise


def variational_autoencoder(middle: int = 8):
    inputs = keras.Input((64,))
    x = layers.Dense(48, activation="relu")(inputs)
    x = _Sampled()(layers.Dense(middle)(x), layers.Dense(middle)(x))
    x = layers.Dense(48, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(64, activation="sigmoid")(x))


def recurrent_regression(cell: type, shape: tuple, width: int = 24):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layers.Dense(1)(cell(width, unroll=True)(inputs)))


def conv_of_waves(classes: int = 6, length: int = 32):
    inputs = x = keras.Input((length, 1))
    for filters in (8, 16):
        x = layers.Conv1D(filters, 5, strides=2, padding="same")(x)
        x = layers.Activation("relu")(layers.UnitNormalization()(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(layers.Flatten()(x)))


def embedded_mlp(length: int, tokens: int, classes: int):
    inputs = keras.Input((length,), dtype="int32")
    x = layers.Flatten()(layers.Embedding(tokens, 8)(inputs))
    x = layers.Dense(64, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def dropped_mlp():
    inputs = keras.Input((14, 14, 1))
    x = layers.Flatten()(inputs)
    for _ in range(2):
        x = layers.Dropout(0.3)(layers.Dense(128, activation="relu", kernel_regularizer="l2")(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def post_norm_transformer(length: int, tokens: int, classes: int, width: int = 16, blocks: int = 2):
    """As in the first paper: normalised after each addition."""
    inputs = keras.Input((length,), dtype="int32")
    x = _Places()(layers.Embedding(tokens, width)(inputs))
    for _ in range(blocks):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, width // 2)(x, x))
        y = layers.Dense(width)(layers.Dense(4 * width, activation="relu")(x))
        x = layers.LayerNormalization()(x + y)
    return keras.Model(
        inputs, layers.Dense(classes, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    )


def siren(width: int = 32, frequency: float = 8.0):
    """Layers of sines, which take coordinates."""
    inputs = x = keras.Input((2,))
    for layer in range(3):
        reach = 1.0 if layer == 0 else 6**0.5 / frequency
        near = keras.initializers.VarianceScaling(reach**2 / 3, mode="fan_in", distribution="uniform")
        x = keras.ops.sin(frequency * layers.Dense(width, kernel_initializer=near)(x))
    return keras.Model(inputs, layers.Dense(1)(x))


def factors(rows: int, columns: int, width: int = 8):
    """The product of a learnt vector of the row and one of the column."""
    inputs = keras.Input((2,), dtype="int32")
    row = layers.Embedding(rows, width)(inputs[:, 0])
    column = layers.Embedding(columns, width)(inputs[:, 1])
    return keras.Model(inputs, keras.ops.sum(row * column, axis=-1, keepdims=True))


def tagger(tokens: int, tags: int, width: int = 16):
    """A tag for each token, from both sides."""
    inputs = keras.Input((12,), dtype="int32")
    x = layers.Embedding(tokens, 8)(inputs)
    x = layers.Bidirectional(layers.LSTM(width, return_sequences=True, unroll=True))(x)
    return keras.Model(inputs, layers.Dense(tags, activation="softmax")(x))


def language_model(length: int, tokens: int, width: int = 16, blocks: int = 2):
    """The next token at each place, from those before it."""
    inputs = keras.Input((length,), dtype="int32")
    x = _Places()(layers.Embedding(tokens, width)(inputs))
    for _ in range(blocks):
        y = layers.RMSNormalization()(x)
        x = x + layers.MultiHeadAttention(2, width // 2)(y, y, use_causal_mask=True)
        y = layers.Dense(4 * width, activation="silu")(layers.RMSNormalization()(x))
        x = x + layers.Dense(width)(y)
    return keras.Model(inputs, layers.Dense(tokens, activation="softmax")(layers.RMSNormalization()(x)))


def _patches(inputs, width: int, size: int = 2):
    x = layers.Conv2D(width, size, strides=size)(inputs)
    return layers.Reshape((-1, width))(x)


def vision_transformer(width: int = 16):
    inputs = keras.Input((14, 14, 1))
    x = _Places()(_patches(inputs, width))
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, width // 2)(y, y)
    y = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
    x = layers.LayerNormalization()(x + layers.Dense(width)(y))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def mixer(width: int = 16, blocks: int = 2):
    """Dense layers over the patches and over the channels in turn."""
    inputs = keras.Input((14, 14, 1))
    x = _patches(inputs, width)
    for _ in range(blocks):
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        y = layers.Dense(x.shape[1])(layers.Dense(32, activation="gelu")(y))
        x = x + layers.Permute((2, 1))(y)
        y = layers.Dense(2 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(width)(y)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def separable():
    inputs = x = keras.Input((14, 14, 1))
    for filters in (16, 24, 32):
        x = layers.SeparableConv2D(filters, 3, padding="same")(x)
        x = layers.MaxPooling2D()(layers.Activation("relu")(norm()(x)))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def dense_blocks(growth: int = 6, depth: int = 4):
    """Each layer takes what all before it gave."""
    inputs = keras.Input((14, 14, 1))
    x = layers.Conv2D(2 * growth, 3, strides=2, padding="same")(inputs)
    for _ in range(depth):
        y = layers.Conv2D(growth, 3, padding="same")(layers.Activation("relu")(norm()(x)))
        x = layers.Concatenate()([x, y])
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(norm()(x)))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def deep_relu(depth: int = 12, width: int = 32):
    inputs = keras.Input((14, 14, 1))
    x = layers.Flatten()(inputs)
    for _ in range(depth):
        x = layers.Dense(width, activation="relu", kernel_initializer="he_normal")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def causal_convolutions(length: int, channels: int, filters: int = 16):
    """Dilated convolutions that see only what came before, with what comes in added."""
    inputs = keras.Input((length, channels))
    x = layers.Conv1D(filters, 1)(inputs)
    for dilation in (1, 2, 4, 8):
        x = x + layers.Conv1D(filters, 3, padding="causal", dilation_rate=dilation, activation="elu")(x)
    return keras.Model(inputs, layers.Dense(1)(x[:, -1]))


def deep_set(members: int, features: int, width: int = 32):
    """The mean over a set of what a network makes of each member."""
    inputs = keras.Input((members, features))
    x = layers.Dense(width, activation="relu")(layers.Dense(width, activation="relu")(inputs))
    x = layers.Dense(width, activation="relu")(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, layers.Dense(1)(x))


def normed_mlp(shape: tuple, widths: tuple, outputs: int = 10):
    inputs = keras.Input(shape)
    x = layers.Flatten()(inputs)
    for width in widths:
        x = layers.Activation("relu")(norm()(layers.Dense(width, use_bias=False)(x)))
    return keras.Model(inputs, layers.Dense(outputs, activation="softmax")(x))


def squeezed(filters: int = 16):
    """Convolutions whose channels are weighted by what is in the whole image; normalised image by image."""
    inputs = x = keras.Input((14, 14, 1))
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.Activation("silu")(layers.GroupNormalization(-1)(x))
        weights = layers.Dense(filters // 4, activation="silu")(layers.GlobalAveragePooling2D()(x))
        weights = layers.Dense(filters, activation="sigmoid")(weights)
        x = layers.MaxPooling2D()(x * layers.Reshape((1, 1, filters))(weights))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def stacked_gru(length: int, tokens: int, classes: int, width: int = 24):
    inputs = keras.Input((length,), dtype="int32")
    x = layers.GRU(width, return_sequences=True, unroll=True)(layers.Embedding(tokens, 16)(inputs))
    x = layers.GRU(width, unroll=True)(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def frozen_convolutions(filters: int = 32):
    """Only the last layer learns, from convolutions as they were drawn."""
    inputs = keras.Input((14, 14, 1))
    x = layers.Conv2D(filters, 5, strides=2, activation="relu", trainable=False)(inputs)
    x = layers.Conv2D(filters, 3, activation="relu", trainable=False)(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def spectral(filters: tuple = (8, 16, 16)):
    """Kernels divided by their largest singular value."""
    inputs = x = keras.Input((14, 14, 1))
    for count in filters:
        x = layers.SpectralNormalization(layers.Conv2D(count, 3, padding="same"))(x)
        x = layers.MaxPooling2D()(layers.LeakyReLU()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def gated_mlp(features: int, width: int = 32, blocks: int = 2):
    inputs = keras.Input((features,))
    x = layers.Dense(width)(inputs)
    for _ in range(blocks):
        x = layers.Dense(width)(layers.Dense(width)(x) * layers.Dense(width, activation="sigmoid")(x))
    return keras.Model(inputs, layers.Dense(1)(x))


def denoiser(filters: int = 8):
    inputs = keras.Input((14, 14, 1))
    x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(
        layers.GaussianNoise(1.0)(inputs)
    )
    x = layers.Conv2D(2 * filters, 3, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(x))


def digits_cnn(norm=None):
    inputs = x = keras.Input((8, 8, 1))
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.MaxPooling2D()(layers.Activation("relu")(norm()(x) if norm else x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))


def recurrent_rows(cell: type, width: int = 32):
    inputs = keras.Input((8, 8))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(cell(width, unroll=True)(inputs)))


def sequence_transformer(length: int, tokens: int, width: int = 24):
    """A token for each place, from all of them."""
    inputs = keras.Input((length,), dtype="int32")
    x = _Places()(layers.Embedding(tokens, width)(inputs))
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, width // 2)(y, y)
    y = layers.Dense(2 * width, activation="relu")(layers.LayerNormalization()(x))
    x = layers.LayerNormalization()(x + layers.Dense(width)(y))
    return keras.Model(inputs, layers.Dense(tokens, activation="softmax")(x))


def siamese(width: int = 32):
    """The same layers for both, and how far apart they come out."""
    inputs = keras.Input((2, 64))
    x = layers.Dense(width)(layers.Dense(64, activation="relu")(inputs))
    x = keras.ops.abs(x[:, 0] - x[:, 1])
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def message_passing(nodes: int = 8, width: int = 16, rounds: int = 3):
    """What the neighbours hold, summed and transformed, some times over."""
    inputs = keras.Input((nodes, nodes))
    x = layers.Dense(width, activation="relu")(keras.ops.sum(inputs, axis=-1, keepdims=True))
    for _ in range(rounds):
        received = keras.ops.matmul(inputs, x) / nodes
        x = layers.Dense(width, activation="relu")(layers.Concatenate()([x, received]))
    x = layers.Dense(width, activation="relu")(keras.ops.mean(x, axis=1))
    return keras.Model(inputs, layers.Dense(1)(x))


def recurrent_model(length: int, tokens: int, width: int = 24):
    """The next token at each place, from those before it."""
    inputs = keras.Input((length,), dtype="int32")
    x = layers.GRU(width, return_sequences=True, unroll=True)(layers.Embedding(tokens, 16)(inputs))
    return keras.Model(inputs, layers.Dense(tokens, activation="softmax")(x))


def convolutions_of_tokens(length: int, tokens: int, classes: int):
    inputs = keras.Input((length,), dtype="int32")
    x = layers.Conv1D(24, 3, activation="relu")(layers.Embedding(tokens, 12)(inputs))
    x = layers.GlobalAveragePooling1D()(layers.Conv1D(24, 3, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def highway(features: int, width: int = 32, depth: int = 5):
    """Gates that begin nearly shut, and let more through as they learn."""
    inputs = keras.Input((features,))
    x = layers.Dense(width)(inputs)
    for _ in range(depth):
        gate = layers.Dense(width, activation="sigmoid", bias_initializer=keras.initializers.Constant(-2.0))(
            x
        )
        x = gate * layers.Dense(width, activation="tanh")(x) + (1 - gate) * x
    return keras.Model(inputs, layers.Dense(1)(x))


class _Share(layers.Layer):
    """Multiplies by one learnt number that begins at 0."""

    def build(self, shape):
        self.share = self.add_weight(shape=(), initializer="zeros")

    def call(self, x):
        return self.share * x


def rezero(features: int, width: int = 48, depth: int = 6):
    """Layers added to what comes in, each with a weight that begins at 0."""
    inputs = keras.Input((features,))
    x = layers.Dense(width)(inputs)
    for _ in range(depth):
        x = x + _Share()(layers.Dense(width, activation="relu")(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def experts(features: int, count: int = 4, width: int = 16):
    """A weighted mean of what some small networks answer; the weights come from the inputs too."""
    inputs = keras.Input((features,))
    weights = layers.Dense(count, activation="softmax")(inputs)
    answers = [layers.Dense(1)(layers.Dense(width, activation="relu")(inputs)) for _ in range(count)]
    answers = layers.Concatenate()(answers)
    return keras.Model(inputs, keras.ops.sum(weights * answers, axis=-1, keepdims=True))


def attention_of_bags(members: int, features: int, width: int = 32):
    """A mean of the members, weighted by what the network makes of each."""
    inputs = keras.Input((members, features))
    x = layers.Dense(width, activation="relu")(layers.Dense(width, activation="relu")(inputs))
    weights = layers.Softmax(axis=1)(layers.Dense(1)(layers.Dense(16, activation="tanh")(x)))
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(keras.ops.sum(weights * x, axis=1)))


def dropped_cnn(filters: tuple = (12, 24)):
    inputs = x = keras.Input((14, 14, 1))
    for count in filters:
        x = layers.Conv2D(count, 3, padding="same", activation="relu")(x)
        x = layers.SpatialDropout2D(0.1)(layers.MaxPooling2D()(x))
    x = layers.Dropout(0.4)(layers.Dense(48, activation="relu")(layers.Flatten()(x)))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def wide_and_deep(features: int, width: int = 32):
    """A linear model and a network, added."""
    inputs = keras.Input((features,))
    deep = layers.Dense(1)(
        layers.Dense(width, activation="relu")(layers.Dense(width, activation="relu")(inputs))
    )
    return keras.Model(inputs, layers.Activation("sigmoid")(deep + layers.Dense(1, use_bias=False)(inputs)))


def digits_residual(filters: int = 16, blocks: int = 2):
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(filters, 3, padding="same")(inputs)
    for _ in range(blocks):
        y = layers.Conv2D(filters, 3, padding="same")(
            layers.Activation("relu")(layers.LayerNormalization()(x))
        )
        x = x + y
    x = layers.GlobalMaxPooling2D()(layers.LayerNormalization()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def preferences(items: int):
    """A worth of each thing, and the odds by the difference of two."""
    inputs = keras.Input((2,), dtype="int32")
    worth = layers.Embedding(items, 1)(inputs)
    return keras.Model(inputs, layers.Activation("sigmoid")(worth[:, 0] - worth[:, 1]))


def recurrent_tagger(length: int, tokens: int, width: int = 32):
    inputs = keras.Input((length,), dtype="int32")
    x = layers.LSTM(width, return_sequences=True, unroll=True)(layers.Embedding(tokens, 8)(inputs))
    return keras.Model(inputs, layers.Dense(tokens, activation="softmax")(x))


def convolutions_of_series(length: int):
    inputs = keras.Input((length, 1))
    x = layers.Conv1D(16, 5, activation="relu")(inputs)
    x = layers.Conv1D(16, 5, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))


def lasso(features: int):
    inputs = keras.Input((features,))
    return keras.Model(inputs, layers.Dense(1, kernel_regularizer=keras.regularizers.L1(0.01))(inputs))


def mixed_convolutions(width: int = 24, blocks: int = 2):
    """Depthwise convolutions added to what comes in, then a mix of the channels; each with batch norm."""
    inputs = keras.Input((8, 8, 1))
    x = norm()(layers.Conv2D(width, 2, strides=2, activation="gelu")(inputs))
    for _ in range(blocks):
        x = x + norm()(layers.DepthwiseConv2D(3, padding="same", activation="gelu")(x))
        x = norm()(layers.Conv2D(width, 1, activation="gelu")(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def all_convolutions():
    inputs = x = keras.Input((8, 8, 1))
    for filters, strides in ((16, 1), (24, 2), (24, 2)):
        x = layers.Conv2D(filters, 3, strides=strides, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Softmax()(layers.GlobalAveragePooling2D()(layers.Conv2D(10, 1)(x))))


def inverted_bottlenecks(width: int = 8, blocks: int = 2):
    inputs = keras.Input((14, 14, 1))
    x = norm()(layers.Conv2D(width, 3, strides=2, padding="same")(inputs))
    for _ in range(blocks):
        y = layers.Activation("relu6")(norm()(layers.Conv2D(3 * width, 1)(x)))
        y = layers.Activation("relu6")(norm()(layers.DepthwiseConv2D(3, padding="same")(y)))
        x = x + norm()(layers.Conv2D(width, 1)(y))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def mean_of_embeddings(length: int, words: int, classes: int):
    inputs = keras.Input((length,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(words, 16)(inputs))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def cnn_of_shapes():
    inputs = x = keras.Input((12, 12, 1))
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling2D()(layers.Activation("relu")(norm()(x)))
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(layers.Flatten()(x)))


def counting_cnn():
    inputs = keras.Input((12, 12, 1))
    x = layers.Conv2D(12, 3, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(12, 2, strides=2, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))


def autoencoder_of(length: int, middle: int = 6):
    inputs = keras.Input((length,))
    x = layers.Dense(middle)(layers.Dense(48, activation="tanh")(inputs))
    return keras.Model(inputs, layers.Dense(length)(layers.Dense(48, activation="tanh")(x)))


def embedded_columns(columns: int, values: int, width: int = 4):
    inputs = keras.Input((columns,), dtype="int32")
    parts = [layers.Embedding(values, width)(inputs[:, column]) for column in range(columns)]
    x = layers.Dense(48, activation="relu")(layers.Concatenate()(parts))
    return keras.Model(inputs, layers.Dense(1)(x))


def recurrent_binary(cell: type, shape: tuple, width: int = 16):
    inputs = keras.Input(shape)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(cell(width, unroll=True)(inputs)))
