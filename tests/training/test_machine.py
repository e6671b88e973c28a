"""What a training takes of its machine is measured on it."""

import math

import pytest
import torch

from harness.core.slots import PRECISION
from harness.training.flops import TrainingFlops
from harness.training.loop import Training
from harness.training.machine import SECONDS, matmul_peak, peak_memory, training_peak

CPU = torch.device("cpu")


def test_the_peak_memory_holds_what_was_ever_held():
    before = peak_memory(CPU)
    more = before - resident() + 100 * 2**20  # bytes beyond what this process ever had
    held = torch.ones(more, dtype=torch.uint8)
    during = peak_memory(CPU)
    assert during >= before + 90 * 2**20
    del held
    assert peak_memory(CPU) == during


def resident():
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


def test_the_peak_is_of_products_and_the_same_in_a_process():
    peak = matmul_peak(CPU)
    assert peak == matmul_peak(CPU, torch.float32) == training_peak(PRECISION["fp32"](), CPU)
    assert math.isfinite(peak) and peak > 2 * 512**3 / SECONDS / 10
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert matmul_peak(CPU) != peak  # measured apart
    finally:
        torch.set_num_threads(threads)


def test_the_peak_is_in_the_type_that_training_multiplies_in():
    assert training_peak(PRECISION["bf16"](), CPU) == matmul_peak(CPU, torch.bfloat16)
    assert matmul_peak(CPU, torch.bfloat16) != matmul_peak(CPU)


def test_a_share_of_peak_is_model_flops_a_second_over_the_machines(lab):
    given = {"flops": TrainingFlops(1e4), "seed": 0}
    config = lab.config({"steps": 4}, evaluations=2)
    training = Training(lab.model, lab.text, lab.evaluator, config, peak_flops=1e9, **given)
    for point in training:
        assert point.share_of_peak == pytest.approx(point.tokens_per_s * 1e4 / 1e9)
        assert point.peak_memory <= peak_memory(CPU)
        assert point.to_dict()["peak_memory"] == point.peak_memory > 10 * 2**20
    unknown = Training(lab.new_model(), lab.text, lab.evaluator, config, **given)
    assert {point.share_of_peak for point in unknown} == {None}


@pytest.mark.gpu
def test_a_device_that_is_no_cpu_tells_its_own_memory():
    cuda = torch.device("cuda")
    before = peak_memory(cuda)
    held = torch.ones(2**28, device=cuda)
    assert peak_memory(cuda) >= before + 2**30 - 2**20
    del held
