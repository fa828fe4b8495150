from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from upreel.evaluation.uniform import uniform_ssim


def test_it_is_scikit_images_default() -> None:
    random = np.random.default_rng(1)
    truth = random.random((30, 41))
    output = np.clip(truth + 0.2 * random.standard_normal(truth.shape), 0, 1)
    expected = structural_similarity(truth, output, data_range=1.0)  # type: ignore[no-untyped-call]
    found = uniform_ssim(torch.from_numpy(output)[None], torch.from_numpy(truth)[None])
    assert found == pytest.approx(expected, abs=1e-4)  # its mean leaves a border of 3 out, as ours
