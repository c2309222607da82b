"""The same bundle behind LitServe, as its documentation shows. Runs in an environment of its own: `lit.py BUNDLE PORT`."""

import sys
from typing import Any

import litserve


class BundleApi(litserve.LitAPI):  # type: ignore[misc]  # it is not installed where types are checked
    """Rows in, answers out, in the form of MLflow's server.

    Args:
        folder: The bundle.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def setup(self, device: str) -> None:
        del device
        sys.path.insert(0, self.folder)
        from predict import Predictor

        self.predictor = Predictor(self.folder)

    def decode_request(self, request):  # type: ignore[no-untyped-def]  # LitServe reads a type as that of a query
        return self.predictor.preprocess.from_request(request["dataframe_records"], {"max_pixels": 64_000_000})

    def predict(self, raw: Any) -> Any:
        return self.predictor.table(raw)

    def encode_response(self, output: dict[str, list[Any]]) -> dict[str, Any]:
        return {"predictions": [dict(zip(output, row, strict=True)) for row in zip(*output.values(), strict=True)]}


if __name__ == "__main__":
    server = litserve.LitServer(BundleApi(sys.argv[1]), accelerator="cpu", devices=1, workers_per_device=1)
    server.run(port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False, log_level="error", access_log=False)
