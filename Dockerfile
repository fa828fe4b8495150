# Upreel with what `upreel farm` and Ray's clusters need. See docs/deploy.md.
#   docker build -t upreel:0.1.0 .
#   docker build -t upreel:0.1.0-cuda --build-arg TORCH_INDEX= .    (the wheel with CUDA, for GPUs)
#   docker run --rm --network none -v "$PWD:/videos" upreel:0.1.0 upscale in.mp4 out.mp4
FROM python:3.11-slim

# Where pip looks for PyTorch too; empty: only where it looks for all else.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# KubeRay asks pods with wget how they are.
RUN apt-get update \
    && apt-get install -y --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 upreel \
    && mkdir /videos \
    && chown upreel /videos

WORKDIR /opt/upreel
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src src
# ray[default] has the dashboard, through which jobs are submitted.
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
    -c constraints.txt ".[farm]" "ray[default]" \
    && rm -rf build src/upreel.egg-info

ENV RAY_USAGE_STATS_ENABLED=0
USER upreel
WORKDIR /videos
ENTRYPOINT ["upreel"]
CMD ["--help"]
