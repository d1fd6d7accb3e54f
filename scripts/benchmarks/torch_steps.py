"""MiniGoogLeNet in PyTorch, channels_last and bfloat16: reads numbers of steps, prints the seconds they took.

training.py runs this with a Python that has PyTorch; nothing else in the project needs it.
"""

import os
import sys
import time

import torch
from torch import nn


def convolution(
    inputs: int, filters: int, size: int, stride: int = 1, padding: int | None = None
) -> nn.Module:
    padding = size // 2 if padding is None else padding
    layer = nn.Conv2d(inputs, filters, size, stride, padding)
    return nn.Sequential(layer, nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01), nn.ReLU(inplace=True))


class SideBySide(nn.Module):
    """Two branches, concatenated."""

    def __init__(self, left: nn.Module, right: nn.Module):
        super().__init__()
        self.left, self.right = left, right

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.left(x), self.right(x)], dim=1)


def inception(inputs: int, filters_1x1: int, filters_3x3: int) -> nn.Module:
    return SideBySide(convolution(inputs, filters_1x1, 1), convolution(inputs, filters_3x3, 3))


def downsample(inputs: int, filters: int) -> nn.Module:
    return SideBySide(convolution(inputs, filters, 3, stride=2, padding=0), nn.MaxPool2d(3, 2))


def minigooglenet() -> nn.Module:
    return nn.Sequential(
        convolution(1, 96, 3),
        inception(96, 32, 32),
        inception(64, 32, 48),
        downsample(80, 80),
        inception(160, 112, 48),
        inception(160, 96, 64),
        inception(160, 80, 80),
        inception(160, 48, 96),
        downsample(144, 96),
        inception(240, 176, 160),
        inception(336, 176, 160),
        nn.AvgPool2d(7),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(336, 10),
    )


def main() -> None:
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    model = minigooglenet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)
    x = torch.rand(64, 1, 32, 32).to(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (64,))
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16):
                scores = model(x)
            loss = nn.functional.cross_entropy(scores.float(), y)
            loss.backward()
            optimizer.step()
            loss.item()
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
