import pytest
import torch


@pytest.fixture
def cpu():
    return torch.device("cpu")
