#!/bin/sh
set -eu
make -C app image
