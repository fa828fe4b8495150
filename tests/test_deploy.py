"""What is written for containers and clusters fits together, and starts what exists."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import pytest
from ruamel.yaml import YAML

from tests.test_reproduce import parse

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
KUBERAY = ROOT / "deploy" / "kuberay.yaml"
GUIDE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
VERSIONS = dict(
    line.split("==", 1)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if "==" in line
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

Value: TypeAlias = str | int | bool | Sequence["Value"] | Mapping[str, "Value"]

# What KubeRay 1.4 has in its CRD `rayjobs.ray.io` (v1): a name that it does not know is dropped
# without a word.
JOB = {
    "activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint",
    "entrypointNumCpus", "entrypointNumGpus", "entrypointResources", "jobId", "managedBy",
    "metadata", "rayClusterSpec", "runtimeEnvYAML", "shutdownAfterJobFinishes", "submissionMode",
    "submitterConfig", "submitterPodTemplate", "suspend", "ttlSecondsAfterFinished",
}  # fmt: skip
CLUSTER = {
    "autoscalerOptions", "enableInTreeAutoscaling", "gcsFaultToleranceOptions", "headGroupSpec",
    "headServiceAnnotations", "managedBy", "rayVersion", "suspend", "workerGroupSpecs",
}  # fmt: skip
HEAD = {"enableIngress", "headService", "rayStartParams", "serviceType", "template"}
WORKERS = {
    "groupName", "idleTimeoutSeconds", "maxReplicas", "minReplicas", "numOfHosts", "rayStartParams",
    "replicas", "scaleStrategy", "suspend", "template",
}  # fmt: skip


def fields(value: Value | None) -> Mapping[str, Value]:
    assert isinstance(value, Mapping)
    return value


def entries(value: Value | None) -> Sequence[Value]:
    assert isinstance(value, Sequence) and not isinstance(value, str)
    return value


def documents() -> dict[str, Mapping[str, Value]]:
    """The objects of the file, by their kinds."""
    read = YAML(typ="safe", pure=True).load_all(KUBERAY.read_text(encoding="utf-8"))
    return {str(each["kind"]): cast(Mapping[str, Value], each) for each in read}


@pytest.fixture
def job() -> Mapping[str, Value]:
    return fields(documents()["RayJob"]["spec"])


def groups(job: Mapping[str, Value]) -> Iterator[Mapping[str, Value]]:
    cluster = fields(job["rayClusterSpec"])
    yield fields(cluster["headGroupSpec"])
    yield from (fields(group) for group in entries(cluster["workerGroupSpecs"]))


def test_kuberay_knows_every_name(job: Mapping[str, Value]) -> None:
    assert documents()["RayJob"]["apiVersion"] == "ray.io/v1"
    assert job.keys() <= JOB
    cluster = fields(job["rayClusterSpec"])
    assert cluster.keys() <= CLUSTER
    head, *workers = groups(job)
    assert HEAD >= head.keys() >= {"rayStartParams", "template"}
    for group in workers:
        assert WORKERS >= group.keys() >= {"groupName", "rayStartParams", "template"}
        minimum, wished, most = (group[name] for name in ("minReplicas", "replicas", "maxReplicas"))
        assert isinstance(minimum, int) and isinstance(wished, int) and isinstance(most, int)
        assert minimum <= wished <= most
    for group in (head, *workers):  # ray start takes text
        assert all(isinstance(each, str) for each in fields(group["rayStartParams"]).values())


def test_all_pods_have_the_image_that_is_built_and_the_ray_that_is_in_it(
    job: Mapping[str, Value],
) -> None:
    assert fields(job["rayClusterSpec"])["rayVersion"] == VERSIONS["ray"]
    image = f"upreel:{PROJECT['version']}"
    for group in groups(job):
        pod = fields(fields(group["template"])["spec"])
        (container,) = (fields(each) for each in entries(pod["containers"]))
        assert container["image"] == image
        resources = fields(container["resources"])
        assert resources["requests"] == resources["limits"]
    for text in (DOCKERFILE, GUIDE, KUBERAY.read_text(encoding="utf-8")):
        assert {*re.findall(r"\bupreel:[\w.]+", text)} == {image}


def test_every_pod_sees_the_volume_as_the_user_of_the_image(job: Mapping[str, Value]) -> None:
    claim = documents()["PersistentVolumeClaim"]
    assert fields(claim["spec"])["accessModes"] == ["ReadWriteMany"]
    (user,) = re.findall(r"useradd .*--uid (\d+)", DOCKERFILE)
    for group in groups(job):
        pod = fields(fields(group["template"])["spec"])
        (volume,) = (fields(each) for each in entries(pod["volumes"]))
        (container,) = (fields(each) for each in entries(pod["containers"]))
        (mount,) = (fields(each) for each in entries(container["volumeMounts"]))
        assert mount == {"name": volume["name"], "mountPath": "/videos"}
        name = fields(volume["persistentVolumeClaim"])["claimName"]
        assert name == fields(claim["metadata"])["name"]
        assert fields(pod["securityContext"])["runAsUser"] == int(user)


def test_the_job_can_be_started(job: Mapping[str, Value]) -> None:
    name, given = parse(str(job["entrypoint"]))
    assert name == "farm"
    assert (given["sources"], given["out"]) == (["/videos/in"], "/videos/out")
    assert given["address"] == "auto"


def test_the_image_is_made_of_what_is_here() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    copied = [name for line in re.findall(r"^COPY (.*)", DOCKERFILE, re.M) for name in line.split()]
    sources = [name for name in copied if name != "./"]
    assert {*sources} == allowed
    assert all((ROOT / name).exists() for name in sources)
    (python,) = re.findall(r"^FROM python:(\S+)-slim$", DOCKERFILE, re.M)
    assert PROJECT["requires-python"] == f">={python}"
    assert "farm" in PROJECT["optional-dependencies"]
    assert DOCKERFILE.index("USER upreel") < DOCKERFILE.index('ENTRYPOINT ["upreel"]')


def test_commands_of_the_guide_exist() -> None:
    commands = re.findall(r"^(upreel .*)$", GUIDE, re.M)
    commands += [
        f"upreel {command}"
        for text in (GUIDE, DOCKERFILE)
        for command in re.findall(r"docker run .* upreel:\S+ (.*)", text)
    ]
    assert len(commands) >= 2
    for command in commands:
        parse(command)
