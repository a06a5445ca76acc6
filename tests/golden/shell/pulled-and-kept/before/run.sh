#!/bin/sh
docker pull node:20 # unhub: ignore
docker save -o node.tar node:20
