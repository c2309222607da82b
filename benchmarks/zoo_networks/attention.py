"""Transformers, mixers and other kinds of attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .entry import network


@network("ViT, class token, torch's encoder", "large")
class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 32, kernel_size=4, stride=4)
        self.token, self.places = nn.Parameter(torch.zeros(1, 1, 32)), nn.Parameter(0.1 * torch.randn(1, 17, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.places
        return self.head(self.norm(self.encoder(x))[:, 0])


class SelfAttention(nn.Module):
    """As in timm and nanoGPT."""

    def __init__(self, width: int, heads: int, *, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.scale, self.causal = heads, (width // heads) ** -0.5, causal
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, N, C = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        attn = (q * self.scale) @ k.transpose(-2, -1)
        if self.causal:
            attn = attn.masked_fill(torch.triu(torch.ones(N, N, dtype=torch.bool, device=x.device), 1), float("-inf"))
        return self.proj((attn.softmax(dim=-1) @ v).transpose(1, 2).reshape(B, N, C))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, *, causal: bool = False) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width), SelfAttention(width, heads, causal=causal)
        self.norm2, self.mlp = (
            nn.LayerNorm(width),
            nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


@network("ViT, attention by hand", "large")
class HandViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch, self.places = nn.Linear(16, 32), nn.Parameter(0.1 * torch.randn(16, 32))
        self.blocks, self.head = nn.ModuleList([Block(32, 4), Block(32, 4)]), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = x.unfold(2, 4, 4).unfold(3, 4, 4).reshape(x.shape[0], 16, 16)
        x = self.patch(patches) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=1))


@network("causal transformer on tokens", "tokens")
class CausalTransformer(nn.Module):
    places: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(160, 32)
        position = torch.arange(32).unsqueeze(1) * torch.exp(torch.arange(0, 32, 2) * (-math.log(10000.0) / 32))
        self.register_buffer("places", torch.stack([position.sin(), position.cos()], -1).flatten(1))
        self.blocks, self.norm, self.head = nn.Sequential(Block(32, 4, causal=True)), nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, idx: Tensor) -> Tensor:
        x = self.embed(idx) * math.sqrt(32) + self.places[: idx.shape[1]]
        return self.head(self.norm(self.blocks(x))[:, -1, :])


@network("encoder with a padding mask", "tokens")
class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(160, 32, padding_idx=0)
        layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 1), nn.Linear(32, 10)

    def forward(self, ids: Tensor) -> Tensor:
        mask = ids % 5 == 0
        x = self.encoder(self.embed(ids), src_key_padding_mask=mask)
        x = x.masked_fill(mask.unsqueeze(-1), 0.0)
        return self.head(x.sum(1) / (~mask).sum(1, keepdim=True).clamp(min=1))


class MixerBlock(nn.Module):
    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.tokens = nn.Sequential(nn.Linear(tokens, 32), nn.GELU(), nn.Dropout(0.0), nn.Linear(32, tokens))
        self.channels = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


@network("MLP-Mixer", "large")
class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.blocks, self.head = (
            nn.Conv2d(1, 32, 4, 4),
            nn.Sequential(MixerBlock(16, 32), MixerBlock(16, 32)),
            nn.Linear(32, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x).flatten(2).mT).mean(1))


class SpatialGate(nn.Module):
    def __init__(self, width: int, tokens: int) -> None:
        super().__init__()
        self.enter, self.norm, self.spatial, self.leave = (
            nn.Linear(width, 2 * width),
            nn.LayerNorm(width),
            nn.Conv1d(tokens, tokens, 1),
            nn.Linear(width, width),
        )
        nn.init.ones_(self.spatial.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        u, v = functional.gelu(self.enter(x)).chunk(2, dim=-1)
        return x + self.leave(u * self.spatial(self.norm(v)))


@network("gMLP", "steps")
class GMLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.blocks, self.head = (
            nn.Linear(8, 32),
            nn.Sequential(SpatialGate(32, 8), SpatialGate(32, 8)),
            nn.Linear(32, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.enter(x)).mean(1))


class Affine(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha, self.beta = nn.Parameter(torch.ones(1, 1, width)), nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.beta, self.alpha, x)


@network("ResMLP, affine layers", "steps")
class ResMLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.affine, self.mix, self.affine2 = nn.Linear(8, 32), Affine(32), nn.Linear(8, 8), Affine(32)
        self.mlp, self.head = (
            nn.Sequential(nn.Linear(32, 64), nn.GELU(approximate="tanh"), nn.Linear(64, 32)),
            nn.Linear(32, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        x = x + self.mix(self.affine(x).transpose(1, 2)).transpose(1, 2)
        return self.head((x + self.mlp(self.affine2(x))).mean(1))


class PoolBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.pool = (
            nn.GroupNorm(1, width),
            nn.GroupNorm(1, width),
            nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
        )
        self.mlp, self.scale = (
            nn.Sequential(nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1)),
            nn.Parameter(0.5 * torch.ones(width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.scale.unsqueeze(-1).unsqueeze(-1) * (self.pool(y) - y)
        return x + self.mlp(self.norm2(x))


@network("PoolFormer")
def poolformer() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1),
        PoolBlock(32),
        PoolBlock(32),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(1),
        nn.LayerNorm(32),
        nn.Linear(32, 10),
    )


@network("windows of attention, shifted (Swin)", "large")
class Swin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch, self.attend, self.shifted, self.merge, self.head = (
            nn.Conv2d(1, 24, 2, 2),
            Block(24, 3),
            Block(24, 3),
            nn.Linear(96, 32),
            nn.Linear(32, 10),
        )

    @staticmethod
    def windows(x: Tensor, block: nn.Module) -> Tensor:
        B, H, W, C = x.shape
        x = x.view(B, H // 4, 4, W // 4, 4, C).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, 16, C)
        x = block(x).view(B, H // 4, W // 4, 4, 4, C)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(B, H, W, C)

    def forward(self, x: Tensor) -> Tensor:
        x = self.windows(self.patch(x).permute(0, 2, 3, 1), self.attend)
        x = torch.roll(self.windows(torch.roll(x, shifts=(-2, -2), dims=(1, 2)), self.shifted), shifts=(2, 2), dims=(1, 2))
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
        return self.head(functional.gelu(self.merge(x)).mean((1, 2)))


@network("linear attention", "steps")
class LinearAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.q, self.k, self.v, self.head = (
            nn.Linear(8, 32),
            nn.Linear(32, 32),
            nn.Linear(32, 32),
            nn.Linear(32, 32),
            nn.Linear(32, 10),
        )
        self.mlp = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        q, k, v = functional.elu(self.q(x)) + 1, functional.elu(self.k(x)) + 1, self.v(x)
        kv = torch.einsum("bnd,bne->bde", k, v)
        z = 1 / (torch.einsum("bnd,bd->bn", q, k.sum(dim=1)) + 1e-6)
        x = x + torch.einsum("bnd,bde,bn->bne", q, kv, z)
        return self.head((x + self.mlp(x)).mean(1))


@network("Fourier transform as mixing (FNet)", "steps")
class FNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.norm, self.mlp, self.head = (
            nn.Linear(8, 32),
            nn.LayerNorm(32),
            nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)),
            nn.Linear(32, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        x = self.norm(x + torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real / 8)
        return self.head((x + self.mlp(x)).mean(1))


@network("latent queries (Perceiver)", "steps")
class Perceiver(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.latents = nn.Linear(8, 32), nn.Parameter(torch.randn(4, 32))
        self.cross, self.norm, self.mlp, self.head = (
            nn.MultiheadAttention(32, 4, batch_first=True),
            nn.LayerNorm(32),
            nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32)),
            nn.Linear(32, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        latents = self.latents.unsqueeze(0).repeat(x.size(0), 1, 1)
        latents = latents + self.cross(latents, x, x, need_weights=False)[0]
        return self.head((latents + self.mlp(self.norm(latents))).mean(dim=1))


@network("attention pooling", "steps")
class AttentionPooling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 32), nn.Tanh())
        self.score, self.head = nn.Linear(32, 1), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = self.body(x)
        weights = torch.softmax(self.score(h).squeeze(-1), dim=1)
        return self.head(torch.bmm(weights.unsqueeze(1), h).squeeze(1))


@network("attention along each axis")
class Axial(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.rows, self.columns, self.head = (
            nn.Conv2d(1, 24, 3, padding=1),
            SelfAttention(24, 2),
            SelfAttention(24, 2),
            nn.Linear(24, 10),
        )
        self.mlp = nn.Sequential(nn.LayerNorm(24), nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 24))

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x).movedim(1, -1)
        B, H, W, C = x.shape
        x = x + self.rows(x.reshape(B * H, W, C)).reshape(B, H, W, C)
        y = x.transpose(1, 2).flatten(0, 1)
        x = x + self.columns(y).unflatten(0, (B, W)).transpose(1, 2)
        return self.head((x + self.mlp(x)).mean((1, 2)))


@network("rotary positions, shared keys", "steps")
class Rotary(nn.Module):
    cos: Tensor
    sin: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.q, self.kv, self.out, self.head = (
            nn.Linear(8, 32),
            nn.Linear(32, 32, bias=False),
            nn.Linear(32, 16, bias=False),
            nn.Linear(32, 32, bias=False),
            nn.Linear(32, 10),
        )
        angles = torch.outer(torch.arange(8.0), 1 / 100 ** (torch.arange(0, 8, 2) / 8))
        self.register_buffer("cos", torch.cat([angles, angles], -1).cos(), persistent=False)
        self.register_buffer("sin", torch.cat([angles, angles], -1).sin(), persistent=False)

    def turn(self, x: Tensor) -> Tensor:
        first, second = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
        return x * self.cos + torch.cat((-second, first), dim=-1) * self.sin

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        batch, length, _ = x.size()
        q = self.turn(self.q(x).view(batch, length, 4, 8).transpose(1, 2))
        k, v = self.kv(x).view(batch, length, 2, 8).unbind(2)
        mixed = functional.scaled_dot_product_attention(
            q, self.turn(k).unsqueeze(1).expand(-1, 4, -1, -1), v.unsqueeze(1).expand(-1, 4, -1, -1), is_causal=True
        )
        return self.head((x + self.out(mixed.transpose(1, 2).contiguous().view(batch, length, -1)))[:, -1])


@network("convolution, then transformer (CoAtNet)", "large")
class ConvTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.GELU(), nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32)
        )
        self.block, self.head = Block(32, 4), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        B, C, H, W = x.shape
        x = self.block(x.flatten(2).permute(0, 2, 1)).permute(0, 2, 1).reshape(B, C, H, W)
        return self.head(x.mean(dim=(2, 3)))
