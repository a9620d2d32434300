"""The Kubernetes manifest: valid by the schemas, and its shell makes a TF_CONFIG that is right."""

import json
import subprocess

import pytest

from tests.checkout import ROOT
from trainers.strategies import _chosen

yaml = pytest.importorskip("yaml")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

MANIFEST = ROOT / "docs" / "training_on_kubernetes.yaml"


def documents():
    return list(yaml.safe_load_all(MANIFEST.read_text()))


def test_manifest_is_valid():
    found = documents()
    assert [document["kind"] for document in found] == ["Service", "Job"]
    for document in found:
        kubernetes_validate.validate(document, "1.30", strict=True)


def test_the_schemas_find_a_mistake():
    job = documents()[1]
    job["spec"]["complitions"] = job["spec"].pop("completions")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.30", strict=True)


def test_each_pod_gets_its_tf_config(monkeypatch):
    service, job = documents()
    spec = job["spec"]
    [container] = spec["template"]["spec"]["containers"]
    workers = int(container["env"][0]["value"])
    assert workers == spec["completions"] == spec["parallelism"]
    [script] = container["args"]
    before_exec = script.split("exec ")[0]
    for index in range(workers):
        done = subprocess.run(
            ["/bin/bash", "-c", before_exec + 'printf "%s" "$TF_CONFIG"'],
            env={"PATH": "/usr/bin:/bin", "WORKERS": "2", "JOB_COMPLETION_INDEX": str(index)},
            capture_output=True,
            text=True,
            check=True,
        )
        config = json.loads(done.stdout)
        assert config["task"] == {"type": "worker", "index": index}
        port = service["spec"]["ports"][0]["port"]
        name, subdomain = job["metadata"]["name"], spec["template"]["spec"]["subdomain"]
        assert config["cluster"]["worker"] == [f"{name}-{i}.{subdomain}:{port}" for i in (0, 1)]
        monkeypatch.setenv("TF_CONFIG", done.stdout)
        assert _chosen("auto", 0) == "multi_worker"
    assert service["metadata"]["name"] == subdomain
