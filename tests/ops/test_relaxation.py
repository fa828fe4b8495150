import numpy as np
import pytest
import torch

from upreel.ops.relaxation import Equations, RedBlack, behind


def draw(height: int, width: int) -> Equations:
    """Equations of two images, as stiff as those of optical flow."""
    random = torch.Generator().manual_seed(0)

    def values(channels: int) -> torch.Tensor:
        return torch.rand(2, channels, height, width, generator=random)

    right, below = values(1), values(1)
    right[..., -1] = 0
    below[..., -1, :] = 0
    return Equations(values(2) - 0.5, values(2) + 0.3, values(1) * 0.3, right, below)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (6, 1), (4, 7), (7, 4)])
def test_many_sweeps_solve_the_equations(size: tuple[int, int]) -> None:
    constant, diagonal, cross, right, below = equations = draw(*size)
    found = RedBlack(2, size, device=torch.device("cpu")).relax(equations, sweeps=300)
    bonds = right + below + behind(right, -1) + behind(below, -2)
    for image in range(2):
        pixels = [(y, x) for y in range(size[0]) for x in range(size[1])]
        matrix = np.zeros((2 * len(pixels), 2 * len(pixels)))
        for place, (y, x) in enumerate(pixels):
            for part in range(2):
                row = matrix[2 * place + part]
                row[2 * place + part] = diagonal[image, part, y, x] + bonds[image, 0, y, x]
                row[2 * place + 1 - part] = cross[image, 0, y, x]
                for bond, other in ((right, (y, x + 1)), (below, (y + 1, x))):
                    if other in pixels:
                        there = 2 * pixels.index(other) + part
                        row[there] -= float(bond[image, 0, y, x])
                        matrix[there, 2 * place + part] -= float(bond[image, 0, y, x])
        solution = np.linalg.solve(matrix, constant[image].permute(1, 2, 0).reshape(-1).numpy())
        np.testing.assert_allclose(found[image].permute(1, 2, 0).reshape(-1), solution, atol=1e-4)


@pytest.mark.parametrize("size", [(5, 8), (8, 5)])
def test_few_sweeps_are_those_of_a_chessboard(size: tuple[int, int]) -> None:
    constant, diagonal, cross, right, below = equations = draw(*size)
    found = RedBlack(2, size, device=torch.device("cpu")).relax(equations, sweeps=3)
    value = np.zeros((2, *size))
    chessboard = sorted(np.ndindex(*size), key=lambda pixel: sum(pixel) % 2)
    for _ in range(3):
        for y, x in chessboard:
            for part in range(2):
                total = float(constant[1, part, y, x])
                total -= float(cross[1, 0, y, x]) * value[1 - part, y, x]
                weight = float(diagonal[1, part, y, x])
                around = [(right, y, x, y, x + 1), (below, y, x, y + 1, x)]
                around += [(right, y, x - 1, y, x - 1), (below, y - 1, x, y - 1, x)]
                for bond, at_y, at_x, row, column in around:
                    if 0 <= row < size[0] and 0 <= column < size[1]:
                        total += float(bond[1, 0, at_y, at_x]) * value[part, row, column]
                        weight += float(bond[1, 0, at_y, at_x])
                value[part, y, x] += 1.8 * (total / weight - value[part, y, x])
    np.testing.assert_allclose(found[1], value, atol=1e-5)


def test_tables_can_be_used_again() -> None:
    solver = RedBlack(2, (4, 5), device=torch.device("cpu"))
    equations = draw(4, 5)
    once = solver.relax(equations, sweeps=4)
    solver.relax(equations._replace(constant=equations.constant + 1), sweeps=4)
    torch.testing.assert_close(solver.relax(equations, sweeps=4), once, rtol=0, atol=0)
