"""The client by both protocols, and the configurations of the server."""

import base64
import io
import json
import math
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from datasets.flags import UserError
from export import client
from export.client import ClientSettings
from export.saved_model import SavedModelSettings
from tests.checkout import ROOT
from tests.export.pixels import assert_same_pixels

pytest.importorskip("tensorflow_serving", reason="needs the extra serving")
yaml = pytest.importorskip("yaml")

from google.protobuf import text_format  # noqa: E402
from tensorflow_serving.apis import predict_pb2  # noqa: E402
from tensorflow_serving.config import model_server_config_pb2  # noqa: E402

from export.grpc_client import GrpcClient  # noqa: E402
from export.rest_client import RestClient  # noqa: E402
from export.serving_error import ServingError  # noqa: E402
from tests.export import servicer, serving_messages  # noqa: E402

SERVING = ROOT / "export" / "serving"


@pytest.fixture(scope="module")
def rest(served):
    with servicer.rest_server(servicer.answers_of(served)) as url:
        yield url


@pytest.fixture(scope="module")
def grpc_url(served):
    with servicer.grpc_server(servicer.Servicer(served)) as target:
        yield f"grpc://{target}"


def pixels(file):
    with Image.open(io.BytesIO(file)) as picture:
        return np.asarray(picture)[..., None]


@pytest.mark.parametrize("protocol", ["rest", "grpc_url"])
def test_command(protocol, request, model, tmp_path):
    url = request.getfixturevalue(protocol)
    settings = ClientSettings(url=url, label="happy", n=3, seed=7, out=str(tmp_path / "faces"))
    assert client.main(settings) == 0
    files = [tmp_path / "faces" / f"happy_{i}.png" for i in range(3)]
    assert sorted((tmp_path / "faces").iterdir()) == files
    images = np.stack([pixels(file.read_bytes()) for file in files])
    assert_same_pixels(images, model.sample("happy", n=3, temperature=0.7, seed=7))


def test_many_images_are_several_calls(rest, model, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "_ROWS", 2)
    settings = ClientSettings(url=rest, label="sad", n=5, out=str(tmp_path))
    images = np.stack([pixels(file) for file in client.drawn(settings)])
    assert_same_pixels(images, model.sample("sad", n=5, temperature=0.7, seed=0))


@pytest.mark.parametrize("protocol", ["rest", "grpc_url"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "hapy"}, "the server refused: .*label must be one of anger.*hapy"),
        ({"temperature": 11.0}, r"the server refused: .*temperature must lie in 0\.\.10"),
        ({"model": "other"}, "the server refused: Servable not found"),
    ],
)
def test_what_the_server_refuses(protocol, changes, message, request, tmp_path):
    url = request.getfixturevalue(protocol)
    given = {"url": url, "label": "happy", "out": str(tmp_path / "out"), **changes}
    with pytest.raises(UserError, match=message):
        client.main(ClientSettings(**given))
    assert not (tmp_path / "out").exists()


# Word by word as the description of TensorFlow Serving's REST API has them ("RESTful API", section
# "Predict API"): the same rows in both formats, and a file.
ROWS = """
{
 "instances": [
   {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
   {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]}
 ]
}
"""
COLUMNS = """
{
 "inputs": {
   "tag": ["foo", "bar"],
   "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
   "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]]
 }
}
"""
FILE = (b"image bytes", '{"b64": "aW1hZ2UgYnl0ZXM="}')


def sent_by_the_client(function, inputs):
    received = []

    def answer(path, body):
        received.append((path, body))
        return 200, {"outputs": []}

    with servicer.rest_server(answer) as url:
        RestClient(url, "half_plus_three").predict(function, inputs)
    return received


def test_what_the_client_sends_is_as_documented():
    rows = json.loads(ROWS)["instances"]
    inputs = {name: [row[name] for row in rows] for name in rows[0]}
    ((path, body),) = sent_by_the_client("classify_objects", inputs)
    assert path == "/v1/models/half_plus_three:predict"
    assert body == {"signature_name": "classify_objects", **json.loads(COLUMNS)}
    content, as_json = FILE
    ((_, body),) = sent_by_the_client("classify_objects", {"image": [content]})
    assert body["inputs"] == {"image": [json.loads(as_json)]}


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        (b'{"outputs": [3.5, 4.0, 5.5]}', [3.5, 4.0, 5.5]),
        (b'{"outputs": [[1, 2], [3, 4]]}', [[1, 2], [3, 4]]),
        (b'{"outputs": {"a": [1], "b_bytes": ["x"]}}', {"a": [1], "b_bytes": ["x"]}),
        (f'{{"outputs": [{FILE[1]}]}}'.encode(), [FILE[0]]),
        (b'{"outputs": [-10.0, Infinity, -Infinity]}', [-10.0, math.inf, -math.inf]),
    ],
)
def test_what_the_client_understands_is_as_documented(sent, understood):
    with servicer.rest_server(lambda *_: (200, sent)) as url:
        assert RestClient(url).predict("sample", {}) == understood


def test_an_error_as_documented():
    told = b'{ "error": "Servable not found for request: Latest(half)" }'
    with (
        servicer.rest_server(lambda *_: (404, told)) as url,
        pytest.raises(ServingError, match=r"refused: Servable not found .*Latest\(half\) \(404\)"),
    ):
        RestClient(url, "half").predict("sample", {})


def test_rows_and_columns(served, model):
    """The exported model, by the stub, in the format of the README and in the client's."""
    row = {
        "signature_name": "sample_png",
        "instances": [{"label": "happy", "temperature": 0.7, "seed": [5, 0]}],
    }
    column = {
        "signature_name": "sample_png",
        "inputs": {"label": ["happy"], "temperature": [0.7], "seed": [[5, 0]]},
    }
    (of_row,) = servicer.predict(served, row)["predictions"]
    (of_column,) = servicer.predict(served, column)["outputs"]
    assert of_row == of_column
    assert set(of_row) == {"b64"}
    image = pixels(base64.b64decode(of_row["b64"]))[None]
    assert_same_pixels(image, model.sample("happy", temperature=0.7, seed=5))


def test_files_go_both_ways(rest, grpc_url, model, faces):
    from export import png

    file = png.encoded(faces.images[0])
    given = {"source": ["neutral"], "target": ["happy"], "strength": [0.8]}
    expected = model.transfer(faces.images[:1], "neutral", "happy", strength=0.8)
    (by_rest,) = RestClient(rest).predict("transfer_png", {"png_bytes": [file], **given})
    assert_same_pixels(pixels(by_rest)[None], expected)
    grpc_client = GrpcClient(grpc_url.removeprefix("grpc://"))
    arrays = {
        "png_bytes": np.array([file], dtype=object),
        "source": np.array([b"neutral"], dtype=object),
        "target": np.array([b"happy"], dtype=object),
        "strength": np.array([0.8], np.float32),
    }
    (by_grpc,) = grpc_client.predict("transfer_png", arrays)["png_bytes"]
    assert_same_pixels(pixels(by_grpc)[None], expected)
    grpc_client.close()


def test_several_outputs(rest, model, faces):
    image, label = faces.images[:2], faces.labels[:2]
    inputs = {"image": image.tolist(), "label": label.tolist()}
    found = RestClient(rest).predict("log_prob", inputs)
    assert set(found) == {"log_prob", "bits_per_dim"}
    np.testing.assert_allclose(found["bits_per_dim"], model.bits_per_dim(image, label), rtol=1e-5)


def test_rest_tries_again(served):
    told = servicer.answers_of(served)
    calls = []

    def busy(path, body):
        calls.append(path)
        return (503, {"error": "still loading"}) if len(calls) < 3 else told(path, body)

    inputs = {"label": ["happy"], "temperature": [0.7], "seed": [[1, 2]]}
    with servicer.rest_server(busy) as url:
        assert len(RestClient(url).predict("sample_png", inputs)) == 1
    assert len(calls) == 3
    calls.clear()
    with (
        servicer.rest_server(busy) as url,
        pytest.raises(ServingError, match=r"the server refused: still loading \(503\)"),
    ):
        RestClient(url, retries=1).predict("sample_png", inputs)


ARRAYS = {
    "label": np.array([b"happy"], dtype=object),
    "temperature": np.array([0.7], np.float32),
    "seed": np.array([[1, 2]], np.int32),
}


def test_grpc_tries_again(served):
    busy = servicer.Servicer(served, failures=2)
    with servicer.grpc_server(busy) as target:
        assert len(GrpcClient(target).predict("sample_png", ARRAYS)["png_bytes"]) == 1
    assert busy.calls == 3
    busy = servicer.Servicer(served, failures=2)
    with (
        servicer.grpc_server(busy) as target,
        pytest.raises(ServingError, match=r"cannot reach 127\.0\.0\.1:.*still loading"),
    ):
        GrpcClient(target, retries=1).predict("sample_png", ARRAYS)
    assert busy.calls == 2


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_there(scheme, tmp_path):
    settings = ClientSettings(url=f"{scheme}://127.0.0.1:9", label="happy", retries=0, timeout=5)
    with pytest.raises(UserError, match=r"cannot reach .*127\.0\.0\.1:9"):
        client.main(settings)


def test_too_slow():
    def slow(path, body):
        time.sleep(1)
        return 200, {"outputs": []}

    with (
        servicer.rest_server(slow) as url,
        pytest.raises(ServingError, match=r"no answer from .* within 0\.2 s"),
    ):
        RestClient(url, timeout=0.2, retries=0).predict("sample", {})


def in_drops(stream, content):
    """Each byte in time, all of them much too late."""
    for byte in content:
        stream.write(bytes([byte]))
        stream.flush()
        time.sleep(0.15)


def test_one_time_for_all_of_an_answer():
    started = time.monotonic()
    with servicer.rest_server(lambda *_: (200, {"outputs": [1] * 100}), write=in_drops) as url:
        with pytest.raises(ServingError, match=r"no answer from .* within 0\.5 s"):
            RestClient(url, timeout=0.5).predict("sample", {})
        assert time.monotonic() - started < 20  # all drops take a minute


def test_no_retry_for_which_there_is_no_time():
    """It is told at once what the server said, and not that the time is over."""
    calls = []

    def busy(path, body):
        calls.append(path)
        return 503, {"error": "busy"}

    with servicer.rest_server(busy) as url:
        client = RestClient(url, timeout=2, retries=9)  # whose pauses would take 102 s
        with pytest.raises(ServingError, match=r"the server refused: busy \(503\)"):
            client.predict("sample", {})
    assert 1 < len(calls) < 9


def test_pause_that_a_server_asks_for_is_not_heeded(served):
    calls = []

    def busy_once(path, body):
        calls.append(path)
        return (503, {"error": "busy"}) if len(calls) == 1 else (200, {"outputs": [1]})

    started = time.monotonic()
    with servicer.rest_server(busy_once, headers=[("Retry-After", "30")]) as url:
        assert RestClient(url).predict("sample", {}) == [1]
    assert time.monotonic() - started < 20


def test_numbers_that_json_has_not():
    with pytest.raises(ServingError, match="sample: numbers must be finite"):
        RestClient("http://127.0.0.1:9").predict("sample", {"temperature": [float("nan")]})


class Large(servicer.Servicer):
    """Answers with what it was sent, whatever it is."""

    def Predict(self, request, context):
        answer = predict_pb2.PredictResponse()
        answer.outputs["latent"].CopyFrom(request.inputs["latent"])
        return answer


def test_grpc_of_256_colour_images():
    """Their latents are more than gRPC takes where nothing is said."""
    latent = np.ones([256, 48 * 48 * 3], np.float32)
    assert latent.nbytes > 4 * 2**20
    with servicer.grpc_server(Large(None)) as target:
        client = GrpcClient(target)
        found = client.predict("decode", {"latent": latent})["latent"]
        client.close()
    np.testing.assert_array_equal(found, latent)


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_grpc_by_ipv6(served, model, tmp_path):
    with servicer.grpc_server(servicer.Servicer(served), "[::1]") as target:
        assert target.startswith("[::1]:")
        settings = ClientSettings(url=f"grpc://{target}", label="happy", n=1, out=str(tmp_path))
        (file,) = client.drawn(settings)
    assert_same_pixels(pixels(file)[None], model.sample("happy", n=1, temperature=0.7, seed=0))


def test_grpc_too_slow(served):
    class Slow(servicer.Servicer):
        def Predict(self, request, context):
            time.sleep(1)
            return super().Predict(request, context)

    with (
        servicer.grpc_server(Slow(served)) as target,
        pytest.raises(ServingError, match=r"no answer from .* within 0\.2 s"),
    ):
        GrpcClient(target, timeout=0.2).predict("sample_png", ARRAYS)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>a proxy</html>", "no answer of TensorFlow Serving: <html>a proxy</html>"),
        (200, {"outputs": [{"b64": "%%%"}] * 4}, "broken base64"),
        (200, {"outputs": [{"b64": "aGFsbG8="}] * 4}, "no PNG files"),
        (200, {"outputs": []}, "no PNG files"),
        (500, {"error": "x" * 5000}, r"refused: x{400}\.\.\. \(500\)"),
    ],
)
def test_strange_answers(status, body, message, tmp_path):
    out = tmp_path / "out"
    with (
        servicer.rest_server(lambda *_: (status, body)) as url,
        pytest.raises(UserError, match=message),
    ):
        client.main(ClientSettings(url=url, label="happy", out=str(out), retries=0))
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "localhost:8501"}, "--url must be http"),
        ({"url": "grpc://localhost"}, "gRPC needs a port"),
        ({"label": None}, "--label is required"),
        ({"label": "../../happy"}, "cannot be part of a file's name"),
        ({"n": 0}, "--n must be a positive integer"),
        ({"seed": 2**31}, "--seed must be a 32-bit integer"),
        ({"temperature": float("nan")}, "--temperature must be a finite number"),
        ({"temperature": -0.1}, "--temperature must be a finite number of at least 0"),
        ({"url": "http://[::1:8501"}, "--url=.*Invalid IPv6"),
        ({"url": "grpc://localhost:99999"}, "--url=.*Port out of range"),
        ({"timeout": 0.0}, "--timeout must be positive"),
        ({"retries": 5}, r"--retries must lie in 0\.\.4"),
    ],
)
def test_users_mistakes(changes, message):
    with pytest.raises(UserError, match=message):
        client.main(ClientSettings(**{"label": "happy", **changes}))


def test_models_config():
    text = (SERVING / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == (servicer.MODEL, "/models/bplf")
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 1


def parsed(name, message):
    """A configuration read as the server reads it; unknown names and wrong types are errors."""
    return text_format.Parse((SERVING / name).read_text(), message())


def test_batching_config():
    config = parsed("batching.config", serving_messages.BatchingParameters)
    sizes = list(config.allowed_batch_sizes)
    # What the server insists on.
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == config.max_batch_size.value
    assert config.num_batch_threads.value >= 1
    assert config.max_batch_size.value <= SavedModelSettings.most_rows
    assert config.batch_timeout_micros.value == 2000  # as the comment says


def test_monitoring_config():
    config = parsed("monitoring.config", serving_messages.MonitoringConfig)
    assert config.prometheus_config.enable
    deployment = documents()["Deployment"]
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == config.prometheus_config.path


@pytest.mark.parametrize("mistake", ["max_batch_sise { value: 1 }", 'allowed_batch_sizes: "one"'])
def test_the_messages_find_a_mistake(mistake):
    with pytest.raises(text_format.ParseError):
        text_format.Parse(mistake, serving_messages.BatchingParameters())


def documents(name="kubernetes.yaml"):
    """Those of a manifest, by their kinds."""
    found = yaml.safe_load_all((SERVING / name).read_text())
    return {document["kind"]: document for document in found}


def test_compose_and_kubernetes_say_the_same():
    (compose,) = yaml.safe_load((SERVING / "compose.yaml").read_text())["services"].values()
    pod = documents()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert compose["image"] == container["image"]
    arguments = dict(one.removeprefix("--").split("=") for one in container["args"])
    composed = dict(one.removeprefix("--").split("=") for one in compose["command"])
    assert arguments == composed
    for name in ("model_config_file", "batching_parameters_file", "monitoring_config_file"):
        assert (SERVING / arguments[name].removeprefix("/etc/serving/")).is_file()
    assert compose["read_only"] is container["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert compose["tmpfs"] == [mounts["scratch"]]
    assert {"name": "scratch", "emptyDir": {}} in pod["volumes"]


def test_the_volume_is_the_one_that_is_served():
    found = documents("kubernetes_models.yaml")
    claim = found["PersistentVolumeClaim"]["metadata"]["name"]
    for pod in (found["Pod"]["spec"], documents()["Deployment"]["spec"]["template"]["spec"]):
        (models,) = (one for one in pod["volumes"] if one["name"] == "models")
        assert models["persistentVolumeClaim"]["claimName"] == claim
    # The root of the volume holds the versions: it is mounted where the server looks for them.
    config = parsed("models.config", model_server_config_pb2.ModelServerConfig)
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts["models"] == config.model_config_list.config[0].base_path


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("kubernetes.yaml", ["Service", "Deployment"]),
        ("kubernetes_models.yaml", ["PersistentVolumeClaim", "Pod"]),
    ],
)
def test_kubernetes_manifests_are_valid(name, kinds):
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    assert list(documents(name)) == kinds
    for document in documents(name).values():
        kubernetes_validate.validate(document, "1.30", strict=True)


@pytest.mark.slow
def test_benchmark(model_file, served, tmp_path):
    out = tmp_path / "figures.json"
    with servicer.grpc_server(servicer.Servicer(served)) as target:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "benchmarks.serving", f"--model={model_file}"),
                *("--batches=1,3", "--calls=2", f"--url=grpc://{target}", f"--json_out={out}"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[1:7]
    assert [line.split()[:2] for line in lines] == [
        [name, batch] for batch in ("1", "3") for name in ("Keras", "SavedModel", "server")
    ]
    seconds = json.loads(out.read_text())["seconds"]
    assert all(len(calls) == 2 and min(calls) > 0 for calls in seconds["3"].values())


@pytest.mark.parametrize("url", ["http://localhost:8501", "grpcs://localhost:8500", "grpc://host"])
def test_benchmark_of_what_is_no_grpc(url):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving", "--model=nowhere", f"--url={url}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert f"--url={url}: must be grpc://host:port" in done.stderr
