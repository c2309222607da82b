"""Servers of one model, each started in its own process: ours, MLflow's, LitServe."""
