# Two images, by the same two commands as in README.md. docs/install.md says how they are used.
#
#   docker build --target cpu -t talking-faces .          # --build-arg PIP_FLAGS="..." points pip at torch's smaller CPU build
#   docker build --target cuda -t talking-faces:cuda .    # the host brings the driver; the wheels bring CUDA

FROM python:3.11-slim-bookworm AS base
# make runs the commands; the two libraries are those that OpenCV's usual build wants.
RUN apt-get update && apt-get install --yes --no-install-recommends make libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ARG PIP_FLAGS=""
ENV PIP_FLAGS=$PIP_FLAGS PIP_NO_CACHE_DIR=1 PATH=/app/.venv/bin:$PATH
# What `make setup` reads, alone: the packages are installed again only when one of these files changes.
COPY pyproject.toml Makefile README.md LICENSE ./
COPY tools/setup.sh tools/build_backend.py tools/package_tree.py tools/
COPY common/__init__.py common/version.py common/

FROM base AS cpu
RUN make setup
COPY . .
RUN make demo
CMD ["python", "inference.py", "--help"]

FROM base AS cuda
ENV EXTRAS=test,gpu NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN make setup
COPY . .
RUN make demo
CMD ["python", "-m", "benchmarks.gpu"]
