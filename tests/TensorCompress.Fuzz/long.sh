#!/usr/bin/env bash
# Ten million damaged files over all targets, with other inputs than the tests: tests/TensorCompress.Fuzz/long.sh [RUNS] [FIRST]
# Prints the counts of each target; faulty inputs are kept under artifacts/fuzz. Ends with 1 where anything is wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
runs=${1:-10000000} first=${2:-1000000}
dotnet build tests/TensorCompress.Fuzz -c Release -v q
program=artifacts/bin/TensorCompress.Fuzz/release/TensorCompress.Fuzz.dll
targets=$(grep -cE '^            (Binary|Json)\("' tests/TensorCompress.Fuzz/FuzzTargets.cs)
exec dotnet "$program" --runs $((runs / targets)) --first "$first" --save artifacts/fuzz
