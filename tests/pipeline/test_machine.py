"""The dtype policy: the user's word first, then a GPU, then what the processor's flags say."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import keras
import pytest

from pyimagesearch_lr.pipeline import machine

CPU_INFO = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Some processor
flags\t\t: fpu vme sse4_2 avx2 {flags}
bugs\t\t: spectre_v1

processor\t: 1
flags\t\t: fpu vme sse4_2 avx2 {flags}
"""


@dataclass(frozen=True)
class Processor:
    """What /proc/cpuinfo lists, and the policy and reason it leads to."""

    name: str
    flags: str
    policy: str
    reason: str

    def __str__(self) -> str:
        return self.name


PROCESSORS = [
    Processor("amx", "avx512f amx_bf16 amx_tile", "mixed_bfloat16", "the processor has amx_bf16"),
    Processor("avx512", "avx512f avx512_bf16", "mixed_bfloat16", "the processor has avx512_bf16"),
    Processor("both", "avx512_bf16 amx_bf16", "mixed_bfloat16", "the processor has amx_bf16"),
    Processor("neither", "avx512f avx512_vnni", "float32", "the processor has no bfloat16 units"),
    Processor("only a part of a flag's name", "amx_bf16x", "float32", "the processor has no bfloat16 units"),
]


@pytest.fixture
def cpu_only(monkeypatch):
    monkeypatch.setattr(machine, "_has_gpu", lambda: False)


@pytest.mark.usefixtures("cpu_only")
@pytest.mark.parametrize("processor", PROCESSORS, ids=str)
def test_policy_follows_the_flags_of_the_processor(tmp_path, processor):
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text(CPU_INFO.format(flags=processor.flags))
    assert machine.dtype_policy("auto", cpu_info) == (processor.policy, processor.reason)
    assert machine.dtype_policy(cpu_info=str(cpu_info)) == (processor.policy, processor.reason)


@pytest.mark.usefixtures("cpu_only")
def test_system_that_lists_no_flags_gets_float32(tmp_path):
    cpu_info = tmp_path / "cpuinfo"
    assert machine.dtype_policy("auto", cpu_info) == (
        "float32",
        "this system does not list its processor's features",
    )
    cpu_info.write_text("")
    assert machine.dtype_policy("auto", cpu_info) == ("float32", "the processor has no bfloat16 units")


def test_gpu_comes_before_the_processor(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("flags\t: amx_bf16\n")
    monkeypatch.setattr(machine, "_has_gpu", lambda: True)
    assert machine.dtype_policy("auto", tmp_path / "cpuinfo") == ("mixed_float16", "there is a GPU")


@pytest.mark.parametrize("wanted", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_named_policy_is_taken_without_looking_at_the_machine(tmp_path, monkeypatch, wanted):
    monkeypatch.delattr(machine, "_has_gpu")
    (tmp_path / "cpuinfo").write_text("flags\t: amx_bf16\n")
    assert machine.dtype_policy(wanted, tmp_path / "cpuinfo") == (wanted, "set by DTYPE_POLICY")


@pytest.mark.parametrize(("devices", "expected"), [([], False), (["GPU:0"], True)])
def test_gpu_is_what_tensorflow_lists(monkeypatch, devices, expected):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", {"GPU": devices}.__getitem__)
    assert machine._has_gpu() is expected


def test_execution_is_that_of_the_compiled_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False, steps_per_execution=1)
    assert re.fullmatch(
        r"fused batch normalisation, no XLA .*, \d+ threads?, 1 step per execution .*",
        machine.execution(model),
    )
    model.compile("sgd", "mse", jit_compile=True, steps_per_execution=8)
    assert re.search(r", XLA, .*, 8 steps per execution", machine.execution(model))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no process to processors")
def test_processors_are_those_that_the_process_may_use():
    allowed = os.sched_getaffinity(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert machine.processors() == 1
        assert ", 1 thread, " in machine.execution(model)
    finally:
        os.sched_setaffinity(0, allowed)
    assert machine.processors() == len(allowed)
