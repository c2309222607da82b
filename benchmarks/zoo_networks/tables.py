"""Networks for tables and plain vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .entry import network


@network("MLP, batch norm and dropout", "cancer")
def mlp() -> nn.Module:
    return nn.Sequential(
        nn.BatchNorm1d(30),
        nn.Linear(30, 48),
        nn.BatchNorm1d(48),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(48, 32),
        nn.ReLU(),
        nn.Linear(32, 2),
    )


@network("self-normalising MLP", "flat")
def selu() -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, 48),
        nn.SELU(),
        nn.AlphaDropout(0.05),
        nn.Linear(48, 32),
        nn.CELU(),
        nn.Linear(32, 32),
        nn.Softplus(),
        nn.Linear(32, 10),
    )


@network("MLP of rare activations", "flat")
def activations() -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(64, 32)]
    for act in (
        nn.Mish(),
        nn.LogSigmoid(),
        nn.Softshrink(),
        nn.Hardtanh(),
        nn.ReLU6(),
        nn.Tanhshrink(),
        nn.Softsign(),
        nn.RReLU(),
        nn.Threshold(0.1, 0.0),
    ):
        layers += [act, nn.Linear(32, 32), nn.LayerNorm(32)]
    return nn.Sequential(*layers, nn.Hardswish(), nn.Linear(32, 10))


class ResidualTable(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.enter, self.leave = nn.BatchNorm1d(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.leave(functional.dropout(functional.relu(self.enter(self.norm(x))), 0.1, self.training))


@network("ResNet for a table, value as target", "diabetes")
class TableResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(10, 32), ResidualTable(32), ResidualTable(32)), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return 150 + 80 * self.head(self.body(x)).squeeze(-1)


@network("a token for each column (FT-Transformer)", "cancer")
class TokenPerColumn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias, self.cls = (
            nn.Parameter(0.2 * torch.randn(30, 24)),
            nn.Parameter(torch.zeros(30, 24)),
            nn.Parameter(0.2 * torch.randn(24)),
        )
        self.layer, self.head = nn.TransformerEncoderLayer(24, 2, 48, 0.0, batch_first=True, norm_first=True), nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.weight[None] * x[:, :, None] + self.bias[None]
        tokens = torch.cat([self.cls.expand(len(x), 1, -1), tokens], dim=1)
        return self.head(functional.relu(self.layer(tokens)[:, 0]))


@network("deep and cross", "cancer")
class DeepCross(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernels = nn.ParameterList([nn.Parameter(0.1 * torch.randn(30, 1)) for _ in range(2)])
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(30, 1)) for _ in range(2)])
        self.deep, self.head = nn.Sequential(nn.Linear(30, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU()), nn.Linear(62, 2)

    def forward(self, x: Tensor) -> Tensor:
        x0 = x.unsqueeze(2)
        xl = x0
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            xl = torch.matmul(x0, torch.tensordot(xl, kernel, dims=([1], [0]))) + bias + xl
        return self.head(torch.cat([xl.squeeze(2), self.deep(x)], dim=-1))


@network("factorisation machine with embeddings", "tokens")
class FactorizationMachine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.linear = nn.Embedding(160, 24), nn.Embedding(160, 10)
        self.mlp = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 10))

    def forward(self, ids: Tensor) -> Tensor:
        e = self.embedding(ids)
        pairs = 0.5 * (e.sum(dim=1).pow(2) - e.pow(2).sum(dim=1))
        return self.linear(ids).sum(1) + self.mlp(pairs)


@network("wide and deep, categories cut from the row", "cancer")
class WideDeep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wide, self.embeds = nn.Linear(26, 2), nn.ModuleList([nn.Embedding(4, 4) for _ in range(4)])
        self.deep = nn.Sequential(nn.Linear(26 + 16, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x: Tensor) -> Tensor:
        numeric, codes = x[:, :26], (x[:, 26:] + 1).clamp(0, 3).long()
        embedded = [embed(codes[:, column]) for column, embed in enumerate(self.embeds)]
        return self.wide(numeric) + self.deep(torch.cat([numeric, *embedded], 1))


@network("soft decision trees", "cancer")
class SoftTrees(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.choose, self.thresholds = nn.Parameter(0.3 * torch.randn(30, 8, 2)), nn.Parameter(torch.zeros(8, 2))
        self.leaves, self.mix, self.head = nn.Parameter(torch.randn(8, 4, 4)), nn.Linear(32, 32), nn.Linear(32, 2)

    def forward(self, x: Tensor) -> Tensor:
        picked = torch.einsum("bf,ftd->btd", x, self.choose.softmax(0))
        right = torch.sigmoid(4 * (picked - self.thresholds))
        left = 1 - right
        reached = torch.stack(
            [
                left[..., 0] * left[..., 1],
                left[..., 0] * right[..., 1],
                right[..., 0] * left[..., 1],
                right[..., 0] * right[..., 1],
            ],
            -1,
        )
        return self.head(functional.relu(self.mix(torch.einsum("btl,tlo->bto", reached, self.leaves).flatten(1))))


@network("Fourier features", "diabetes")
class Fourier(nn.Module):
    frequencies: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", 0.3 * torch.randn(10, 24))
        self.net = nn.Sequential(nn.Linear(58, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, x: Tensor) -> Tensor:
        projected = 2 * torch.pi * x @ self.frequencies
        return self.net(torch.cat([x, torch.sin(projected), torch.cos(projected)], -1)) * 80 + 150


class Sine(nn.Module):
    def __init__(self, enter: int, leave: int, omega: float = 3.0) -> None:
        super().__init__()
        self.omega, self.linear = omega, nn.Linear(enter, leave)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(self.omega * self.linear(x))


@network("SIREN", "flat")
def siren() -> nn.Module:
    return nn.Sequential(Sine(64, 48, 1.0), Sine(48, 32, 1.0), nn.Linear(32, 10))


@network("periodic embeddings for each column", "diabetes")
class Periodic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.coefficients, self.weight, self.bias = (
            nn.Parameter(0.3 * torch.randn(10, 6)),
            nn.Parameter(0.3 * torch.randn(10, 12, 4)),
            nn.Parameter(torch.zeros(10, 4)),
        )
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(40, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = 2 * torch.pi * self.coefficients * x[..., None]
        x = torch.cat([torch.cos(x), torch.sin(x)], -1)
        x = functional.relu((x[..., None, :] @ self.weight).squeeze(-2) + self.bias)
        return self.net(x) * 80 + 150


@network("tied layers of an autoencoder", "flat")
class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.bias, self.head = (
            nn.Linear(64, 32),
            nn.Parameter(torch.zeros(64)),
            nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        code = torch.sigmoid(self.encoder(x))
        rebuilt = functional.linear(code, self.encoder.weight.t(), self.bias)
        return self.head(functional.relu(x - rebuilt))


@network("one weight in two layers", "flat")
class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.first, self.second, self.head = (
            nn.Linear(64, 32),
            nn.Linear(32, 32),
            nn.Linear(32, 32),
            nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 10)),
        )
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.enter(x))
        return self.head(functional.relu(self.second(functional.relu(self.first(x)))))


@network("one layer called three times", "flat")
class Repeated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.step, self.wide, self.head = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 48), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        for _ in range(3):
            x = x + torch.tanh(self.step(x))
        return self.head(functional.relu(self.wide(x)))


@network("mixture of experts", "flat")
class Experts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(64, 4)
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 24)) for _ in range(4)])
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        weights = functional.softmax(self.gate(x), dim=-1)
        outs = torch.stack([expert(x) for expert in self.experts], dim=1)
        return self.head(torch.einsum("be,bed->bd", weights, outs))


@network("mixture of experts, best two of four", "flat")
class TopExperts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.experts, self.head = (
            nn.Linear(64, 4),
            nn.ModuleList([nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 24)) for _ in range(4)]),
            nn.Linear(24, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        values, picked = torch.topk(self.gate(x), 2, dim=-1)
        weights = torch.zeros(x.shape[0], 4).scatter(1, picked, values.softmax(-1))
        outs = torch.stack([functional.gelu(expert(x)) for expert in self.experts], 1)
        return self.head((weights.unsqueeze(-1) * outs).sum(1))


class Highway(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.plain, self.gate = nn.Linear(width, width), nn.Linear(width, width)
        self.gate.bias.data.fill_(-1)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(x))
        return gate * functional.relu(self.plain(x)) + (1 - gate) * x


@network("highway", "flat")
def highway() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32), *[Highway(32) for _ in range(3)], nn.Linear(32, 10))


@network("ensemble by scaled copies (BatchEnsemble)", "flat")
class Ensemble(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.r, self.s = nn.Parameter(1 + 0.2 * torch.randn(4, 64)), nn.Parameter(1 + 0.2 * torch.randn(4, 32))
        self.shared, self.heads, self.bias = (
            nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32)),
            nn.Parameter(0.2 * torch.randn(4, 32, 10)),
            nn.Parameter(torch.zeros(4, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.shared(x.unsqueeze(1) * self.r) * self.s)
        return (torch.einsum("bmi,mio->bmo", x, self.heads) + self.bias).mean(1)


@network("bilinear layer", "flat")
class BilinearNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.both, self.head = (
            nn.Linear(32, 16),
            nn.Linear(32, 16),
            nn.Bilinear(16, 16, 24),
            nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        first, second = torch.split(x, 32, dim=1)
        return self.head(functional.relu(self.both(torch.tanh(self.left(first)), torch.tanh(self.right(second)))))


@network("distances to centres (RBF)", "flat")
class RBF(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.centers, self.log_sigmas, self.head = (
            nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16)),
            nn.Parameter(torch.randn(40, 16)),
            nn.Parameter(torch.zeros(40)),
            nn.Linear(40, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        squared = torch.cdist(self.embed(x), self.centers).pow(2)
        return self.head(torch.exp(-squared * torch.exp(self.log_sigmas).pow(2) / 16))


@network("weights made from the input", "flat")
class Hyper(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.weights, self.biases = (
            nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32)),
            nn.Linear(64, 32 * 10),
            nn.Linear(64, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        h = functional.relu(self.enter(x))
        weight = self.weights(x).view(-1, 10, 32)
        return torch.baddbmm(self.biases(x).unsqueeze(2), weight, h.unsqueeze(2)).squeeze(2)


@network("learned spline on each edge (KAN)", "flat")
class KAN(nn.Module):
    grid: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("grid", torch.linspace(-1, 1, 6))
        self.spline1, self.base1, self.spline2, self.base2 = (
            nn.Linear(64 * 6, 32),
            nn.Linear(64, 32),
            nn.Linear(32 * 6, 10),
            nn.Sequential(nn.Linear(32, 48), nn.SiLU(), nn.Linear(48, 10)),
        )

    def basis(self, x: Tensor) -> Tensor:
        return torch.exp(-(((x[..., None] - self.grid) / 0.4) ** 2)).view(x.size(0), -1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.spline1(self.basis(x)) + self.base1(functional.silu(x))
        x = torch.tanh(x)
        return self.spline2(self.basis(x)) + self.base2(functional.silu(x))
