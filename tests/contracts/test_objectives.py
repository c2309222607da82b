"""Our own costs keep the contract that plug-ins are held to."""

from lepton_automl.measuring.costs import Latency, Macs, Memory, Size
from lepton_automl.testing.objective import CostContract


class TestLatency(CostContract):
    cost = Latency()
    name = "latency"


class TestSize(CostContract):
    cost = Size()
    name = "size"


class TestMacs(CostContract):
    cost = Macs()
    name = "macs"


class TestMemory(CostContract):
    cost = Memory()
    name = "memory"
