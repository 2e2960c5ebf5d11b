# The project with all that it needs, for a worker or for one command (docs/cluster.md):
#   docker build -t segmodels .                                                 CUDA, as PyTorch's usual builds bring it
#   docker build -t segmodels:cpu --build-arg TORCH_INDEX=ADDRESS .             without: ADDRESS is PyTorch's CPU index (pytorch.org)
#   docker run --rm --gpus all segmodels segmodels doctor
# Debian 12 with Python 3.12: requirements.lock holds for 3.11 to 3.13. No CUDA base image is needed, since PyTorch's
# packages bring its libraries along; the driver comes from the host (NVIDIA's container toolkit).
FROM python:3.12-slim-bookworm

# DVC and `segmodels changes` ask git; nothing else is missing in the base image.
RUN apt-get update \
    && apt-get install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*

# Whoever owns what is mounted: --build-arg USER_ID=$(id -u)
ARG USER_ID=1000
RUN useradd --create-home --uid "$USER_ID" segmodels

# NVIDIA's toolkit reads the last two; without a GPU they do nothing.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    DO_NOT_TRACK=1 \
    DVC_NO_ANALYTICS=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

WORKDIR /segmodels

# The packages are a layer of their own, which a change of code does not make again: the installation is
# editable, and finds here nothing but the names of what is copied later.
COPY requirements.lock pyproject.toml hatch_build.py README.md LICENSE ./
COPY segmodels/versions.py segmodels/
ARG TORCH_INDEX=""
ARG EXTRAS=flows,s3
RUN mkdir flows \
    && touch segmodels/__init__.py flows/__init__.py \
    && python3 -m venv /opt/venv \
    && if [ -n "$TORCH_INDEX" ]; then \
    pip install --index-url "$TORCH_INDEX" $(grep -E '^torch(vision)?==' requirements.lock); fi \
    && pip install -c requirements.lock -e ".[$EXTRAS]"

COPY --chown=segmodels . .

# Volumes that are mounted here belong to the user if the folders do. Without .git DVC has to be told so.
RUN mkdir -p data weights labels reports/local .cache .dvc/cache \
    && python3 -m dvc config --local core.no_scm true \
    && chown -R segmodels .

USER segmodels
CMD ["segmodels", "--help"]
