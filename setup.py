import re
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).resolve().parent
readme = here / "README.md"
init = (here / "pyimagesearch_lr" / "__init__.py").read_text(encoding="utf-8")

setup(
    name="pyimagesearch-lr",
    version=re.search(r'^__version__ = "([^"]+)"', init, re.MULTILINE).group(1),
    description="A learning-rate finder and cyclical learning rates for Keras 3",
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else "",
    long_description_content_type="text/markdown",
    author="The pyimagesearch-lr authors",
    license="MIT",
    license_files=["LICENSE"],
    keywords="keras tensorflow learning-rate-finder cyclical-learning-rate one-cycle",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["pyimagesearch_lr", "pyimagesearch_lr.*"]),
    package_data={
        "pyimagesearch_lr": ["py.typed"],
        "pyimagesearch_lr.pipeline": ["fashion_mnist_sample.npz", "config_template.txt"],
    },
    install_requires=[
        # Not older than what is tested: docs/results/test_matrix.json.
        "tensorflow>=2.19",
        "keras>=3.10",
        "numpy",
        "matplotlib",
        "pillow",
        "scikit-learn",
        # The same cv2 as opencv-python, whose windows need libGL, libxcb and GLib: a bare machine lacks them.
        "opencv-python-headless",
    ],
    extras_require={
        "jax": ["jax"],
        "torch": ["torch"],
        "test": ["pytest", "pytest-xdist", "scipy", "hypothesis", "jax", "ruff", "mypy"],
        "docs": ["mkdocs>=1.6", "mkdocs-material>=9.5", "mkdocstrings[python]"],
    },
    entry_points={"console_scripts": ["pyimagesearch-lr = pyimagesearch_lr.__main__:console"]},
    zip_safe=False,
)
