#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Compiles and links tests/cuda/*.cu for two generations of devices (newer ones translate the second at run time); a kernel
# that spills registers fails. Then runs the programs on the device, whose name they print. Without a device they end with 77,
# skipped. `./dev cuda` calls this.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=build/cuda
mkdir -p $work

shopt -s nullglob
files=(tests/cuda/*.cu)
if [[ ${#files[@]} == 0 ]]; then
    echo "cuda: there are no CUDA tests yet"
    exit 0
fi

nvcc=""
include=()
for candidate in "${NVCC:-}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc $work/venv/lib/python3*/site-packages/nvidia/*/bin/nvcc; do
    if [[ -x $candidate ]]; then
        nvcc=$candidate
        break
    fi
done
if [[ -z $nvcc ]]; then
    echo "no nvcc: trying the one that comes as Python packages" >&2
    if ! { python3 -m venv $work/venv && $work/venv/bin/pip install --quiet --retries 1 nvidia-cuda-nvcc nvidia-cuda-crt nvidia-cuda-runtime nvidia-cuda-cccl; } >$work/log 2>&1; then
        tail -n 3 $work/log >&2
        echo "No nvcc. Please install a CUDA toolkit, or set NVCC." >&2
        exit 1
    fi
    found=($work/venv/lib/python3*/site-packages/nvidia/*/bin/nvcc)
    nvcc=${found[0]:?"the packages have no nvcc"}
fi
if [[ $nvcc == $work/* ]]; then
    # The packages lie apart from where nvcc looks for them.
    home=$(dirname "$(dirname "$nvcc")")
    include=(-I"$home/include" -I"$home/include/cccl" -L"$home/lib" -cudart=shared)
    [[ -e $home/lib/libcudart.so ]] || ln -s "$(cd "$home/lib" && ls libcudart.so.* | head -n 1)" "$home/lib/libcudart.so"
    export LD_LIBRARY_PATH="$home/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
"$nvcc" --version | tail -n 2 >&2

skipped=0
for file in "${files[@]}"; do
    program=$work/$(basename "$file" .cu)
    "$nvcc" -std=c++20 -O2 -gencode=arch=compute_80,code=sm_80 '-gencode=arch=compute_90,code=[sm_90,compute_90]' -Xptxas -v \
        -Xcompiler -Wall,-Wextra -Iinclude -Itests "${include[@]}" "$file" -o "$program" 2>"$program.log" || {
        cat "$program.log"
        exit 1
    }
    if grep -E 'warning' "$program.log" || grep -E '[1-9][0-9]* bytes spill' "$program.log"; then
        echo "$file: warnings or register spills" >&2
        exit 1
    fi
    kernels=$(grep -c 'bytes spill' "$program.log" || true)
    result=0
    "$program" || result=$?
    if [[ $result == 77 ]]; then
        skipped=$((skipped + 1))
    elif [[ $result != 0 ]]; then
        echo "$file: failed with $result" >&2
        exit 1
    fi
    echo "$file: $kernels kernels, no spills$([[ $result == 77 ]] && echo ', not run: no device' || echo ', run')"
done
echo "cuda: ${#files[@]} compiled, $skipped not run"
