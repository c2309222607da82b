"""LeptonBench: real trainings of this project's own trainer, recorded, to replay searches on in seconds."""
