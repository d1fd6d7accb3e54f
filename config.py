"""Settings of `python train.py`. Edit them here; they are checked before anything is loaded."""

import os

# Data ------------------------------------------------------------------------------------------------------
DATA = "fashion-mnist"  # or a folder of pictures: FOLDER/CLASS/*.jpg, or the same in FOLDER/train and /test
CLASSES = ["top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
DATA_DIR = None  # folder with the four Fashion-MNIST .gz files; None: look in the usual places
IMAGE_SIZE = 32  # every picture is resized to this many pixels on both sides
CHANNELS = None  # 1: grey, 3: colour, None: as the files are
TEST_SHARE = 0.2  # share of every class to evaluate on, if a folder of pictures has no test/ or val/
SKIP_UNREADABLE = False  # True: leave out pictures that cannot be used; False: list them and stop
CONVERT_PICTURES = False  # True: convert rotated, animated, 16-bit, CMYK and transparent pictures
HOLD_OUT = 0  # training images to evaluate on in place of the test images, while you tune
SEED = 42  # for weights, data order and augmentation

# Network ---------------------------------------------------------------------------------------------------
MODEL = "minigooglenet"  # or "module:function": function(input_shape, num_classes) that returns a Keras model

# Phase 1: python train.py --lr-find 1 ----------------------------------------------------------------------
LRFIND_START_LR = 1e-10  # first learning rate of the sweep
LRFIND_END_LR = 1e1  # last learning rate of the sweep
LRFIND_STEPS = 200  # steps of the sweep, if the loss does not diverge first; the tutorial's 3 epochs: 2814
LRFIND_VERIFY_STEPS = 600  # steps for trying the rates around the answer; 0: trust the curve

# Phase 2: python train.py ----------------------------------------------------------------------------------
MIN_LR = 1e-5  # lowest learning rate of a cycle
MAX_LR = 1e-2  # highest learning rate of a cycle
STEP_SIZE = 8  # epochs per half cycle; 0.5 is half an epoch
CLR_METHOD = "triangular"  # "triangular", "triangular2" or "exp_range"
CLR_GAMMA = 0.99994  # "exp_range" only: the factor by which every step shrinks the cycle
NUM_EPOCHS = 48  # a whole number of cycles (2 * STEP_SIZE epochs each) ends at MIN_LR

# Both phases -----------------------------------------------------------------------------------------------
BATCH_SIZE = 64  # images per step
DTYPE_POLICY = "auto"  # "auto", "float32", "mixed_bfloat16" or "mixed_float16"

# Results ---------------------------------------------------------------------------------------------------
OUTPUT_DIR = "output"  # everything that is not named below goes here
LRFIND_PLOT_PATH = os.path.join(OUTPUT_DIR, "lrfind_plot.png")
TRAINING_PLOT_PATH = os.path.join(OUTPUT_DIR, "training_plot.png")
CLR_PLOT_PATH = os.path.join(OUTPUT_DIR, "clr_plot.png")
TENSORBOARD_DIR = None  # folder for TensorBoard's event files; None: write none
