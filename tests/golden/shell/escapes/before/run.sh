#!/bin/bash
docker pull n\ode:20
docker pull $'n\x6fde'
docker pull node{18,20}
docker pull 'node 20'
