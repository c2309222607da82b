"""Recurrent, temporal and text networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from .entry import network


@network("GRU, last step", "steps")
class GRUClassifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.fc = nn.GRU(8, 32, batch_first=True), nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 10))

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.gru(x)
        return self.fc(out[:, -1, :])


@network("LSTM, both ways, two layers", "steps")
class BiLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 16, num_layers=2, bidirectional=True, batch_first=True, dropout=0.1)
        self.fc1, self.fc2 = nn.Linear(32, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        h0 = torch.zeros(4, x.size(0), 16)
        _, (h, _) = self.lstm(x, (h0, torch.zeros_like(h0)))
        return self.fc2(functional.relu(self.fc1(torch.cat((h[-2], h[-1]), dim=1))))


@network("RNN, time first", "steps")
class PlainRNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.hidden, self.out = nn.RNN(8, 32, nonlinearity="tanh"), nn.Linear(32, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        output, hidden = self.rnn(x.permute(1, 0, 2))
        return self.out(torch.relu(self.hidden(output.mean(0) + hidden[0])))


@network("GRU cell in a loop", "steps")
class CellLoop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(8, 32), nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.size(0), 32)
        for step in range(x.size(1)):
            h = self.cell(x[:, step], h)
        return self.head(h)


@network("LSTM cell in a loop", "steps")
class LSTMLoop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.cell, self.head = (
            nn.Linear(8, 24),
            nn.LSTMCell(24, 32),
            nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        state = (x.new_zeros(x.shape[0], 32), x.new_zeros(x.shape[0], 32))
        for step in self.enter(x).relu().unbind(1):
            state = self.cell(step, state)
        return self.head(state[0])


@network("a recurrent cell by hand", "steps")
class HandCell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.i2h, self.h2h, self.gate = nn.Linear(8, 32), nn.Linear(32, 32), nn.Linear(40, 32)
        self.readout = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 10))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.zeros((x.shape[0], 32), dtype=x.dtype, device=x.device)
        for t in range(x.shape[1]):
            gate = torch.sigmoid(self.gate(torch.cat((x[:, t], hidden), 1)))
            hidden = gate * hidden + (1 - gate) * torch.tanh(self.i2h(x[:, t]) + self.h2h(hidden))
        return self.readout(hidden)


@network("LSTM with attention, tokens", "tokens")
class AttentiveLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Embedding(160, 16), nn.LSTM(16, 24, batch_first=True)
        self.attention, self.context, self.head = nn.Linear(24, 24), nn.Linear(24, 1, bias=False), nn.Linear(24, 10)

    def forward(self, ids: Tensor) -> Tensor:
        states, (last, _) = self.lstm(self.embed(ids))
        weights = functional.softmax(self.context(torch.tanh(self.attention(states))), dim=1)
        return self.head((weights * states).sum(1) + last.squeeze(0))


class Chomp(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, : -self.size].contiguous()


class TemporalBlock(nn.Module):
    def __init__(self, enter: int, leave: int, dilation: int) -> None:
        super().__init__()
        padding = 2 * dilation
        conv1 = parametrizations.weight_norm(nn.Conv1d(enter, leave, 3, padding=padding, dilation=dilation))
        conv2 = parametrizations.weight_norm(nn.Conv1d(leave, leave, 3, padding=padding, dilation=dilation))
        self.net = nn.Sequential(conv1, Chomp(padding), nn.ReLU(), nn.Dropout(0.1), conv2, Chomp(padding), nn.ReLU())
        self.downsample = nn.Conv1d(enter, leave, 1) if enter != leave else None

    def forward(self, x: Tensor) -> Tensor:
        res = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.net(x) + res)


@network("TCN, weight norm", "signal")
class TCN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tcn, self.linear = (
            nn.Sequential(TemporalBlock(1, 16, 1), TemporalBlock(16, 24, 4), TemporalBlock(24, 24, 16)),
            nn.Linear(24, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.tcn(x)[:, :, -1])


@network("TCN, batch norm, padded on the left", "signal")
class CausalConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv1d(1 if n == 0 else 16, 16, 3, dilation=2**n) for n in range(3)])
        self.norms, self.skips, self.head = (
            nn.ModuleList([nn.BatchNorm1d(16) for _ in range(3)]),
            nn.ModuleList([nn.Conv1d(16, 24, 1) for _ in range(3)]),
            nn.Linear(24, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        skips = torch.zeros(1)
        for n, (conv, norm, skip) in enumerate(zip(self.convs, self.norms, self.skips, strict=True)):
            x = functional.relu(norm(conv(functional.pad(x, (2 * 2**n, 0)))))
            skips = skips + skip(x)
        return self.head(functional.relu(skips).mean(-1))


@network("depthwise-separable 1-D", "signal")
def keyword() -> nn.Module:
    def separable(width: int) -> list[nn.Module]:
        return [
            nn.Conv1d(width, width, 5, padding=2, groups=width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 1),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        ]

    return nn.Sequential(
        nn.Conv1d(1, 32, 8, stride=4),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        *separable(32),
        *separable(32),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


@network("1-D residual network, strided pooling", "signal")
class Signal(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.pool = nn.Conv1d(1, 24, 7, padding="same"), nn.MaxPool1d(4)
        self.body, self.up, self.head = (
            nn.Conv1d(24, 24, 3, padding=1),
            nn.ConvTranspose1d(24, 16, 4, stride=4),
            nn.Linear(16 * 8, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(functional.relu(self.enter(x)))
        x = self.up(x + functional.relu(self.body(x)))
        return self.head(functional.adaptive_avg_pool1d(x, 8).reshape(x.shape[0], -1))


@network("text CNN, three kernels", "tokens")
class TextCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(160, 16)
        self.convs = nn.ModuleList([nn.Conv2d(1, 16, (size, 16)) for size in (2, 3, 4)])
        self.dropout, self.fc = nn.Dropout(0.2), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedding(x).unsqueeze(1)
        maps = [functional.relu(conv(x)).squeeze(3) for conv in self.convs]
        maps = [functional.max_pool1d(features, features.size(2)).squeeze(2) for features in maps]
        return self.fc(self.dropout(torch.cat(maps, 1)))


@network("embedding bag", "tokens")
class Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag, self.fc1, self.fc2 = nn.EmbeddingBag(160, 32, mode="mean"), nn.Linear(32, 48), nn.Linear(48, 10)

    def forward(self, ids: Tensor) -> Tensor:
        return self.fc2(functional.relu(self.fc1(self.bag(ids))))


@network("convolutions, then GRU (CRNN)", "large")
class CRNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 24, 3, (2, 1), 1), nn.ReLU()
        )
        self.rnn, self.fc = nn.GRU(24 * 4, 16, bidirectional=True, batch_first=True), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        features = self.cnn(x).permute(0, 3, 1, 2).flatten(2)
        states, _ = self.rnn(features)
        return self.fc(states.max(dim=1)[0])


@network("linear recurrence (state space)", "steps")
class StateSpace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.decay, self.mix, self.head = (
            nn.Linear(8, 32),
            nn.Parameter(torch.linspace(-1, 3, 32)),
            nn.Linear(32, 32),
            nn.Linear(32, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        u, a = self.enter(x), torch.sigmoid(self.decay)
        powers = a[None, :] ** torch.arange(x.shape[1] - 1, -1, -1, dtype=x.dtype)[:, None]
        return self.head(functional.silu(self.mix((u * powers).sum(dim=1))))


@network("sequence to sequence, without teacher forcing", "steps")
class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder, self.out = (
            nn.GRU(8, 24, batch_first=True),
            nn.GRUCell(10, 24),
            nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.encoder(x)
        hidden, answer = state[-1], torch.zeros(x.shape[0], 10, device=x.device)
        for _ in range(3):
            hidden = self.decoder(answer.softmax(-1), hidden)
            answer = self.out(hidden)
        return answer
