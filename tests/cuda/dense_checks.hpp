// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "cuda/failures.hpp"

#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/cuda/dense_panels.cuh>
#include <funnel/kernels/cuda/int8_dense.cuh>
#include <funnel/kernels/cuda/packed_dense.cuh>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/int8_dense.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

// The dense kernels on a device, as part of check_device.
namespace funnel::testing {

/// The same bits, or both NaN.
[[nodiscard]] inline bool is_same_number(float a, float b) {
    return (math::is_nan(a) && math::is_nan(b)) || std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

/// One input of 1, and a weight for each number of 16 bits: the outputs are the weights.
template <class System, class Half>
void check_codes(Failures& failures, const std::string& name) {
    using namespace kernels;
    constexpr std::size_t codes = 65'536;
    std::vector<Half> weights(DensePanels<Half>::weights_of(1, codes));
    for (std::size_t code = 0; code < codes; ++code) {
        weights[DensePanels<Half>::position(1, 0, code)].bits = static_cast<std::uint16_t>(code);
    }
    const DeviceBuffer<Half, System> weights_there{std::span<const Half>(weights)};
    const DeviceBuffer<float, System> bias{std::span<const float>(std::vector<float>(codes, -0.0F))};
    const DeviceBuffer<float, System> x{std::span<const float>(std::vector<float>{1.0F})};
    DeviceBuffer<float, System> y(codes);
    packed_dense<Epilogue::Identity>(Device<System>{},
                                     DeviceDensePanels<Half>{1, codes, weights_there.span(), bias.span()},
                                     {x.span().data, 1, 1}, y.span());
    std::vector<float> found(codes);
    y.copy_to(found);
    bool is_same = true;
    for (std::size_t code = 0; code < codes; ++code) {
        is_same = is_same && is_same_number(found[code], Half{static_cast<std::uint16_t>(code)}.value());
    }
    failures.check(is_same, "packed_dense: all weights of " + name);
}

/// A layer of bytes on a device.
template <kernels::Epilogue E, class System>
Matrix<float> int8_outputs(const kernels::DensePanels<kernels::ScaledInt8>& panels, MatrixView<const float> x) {
    using namespace kernels;
    const DeviceBuffer<ScaledInt8, System> weights{panels.weights};
    const DeviceBuffer<float, System> bias{panels.bias};
    const DeviceBuffer<float, System> scales{panels.scales};
    const DeviceBuffer<float, System> rows{std::span<const float>(packed(x))};
    DeviceBuffer<float, System> outputs(x.rows() * panels.out);
    int8_dense<E>(Device<System>{},
                  DeviceDensePanels<ScaledInt8>{panels.in, panels.out, weights.span(), bias.span(), scales.span()},
                  {rows.span().data, x.rows(), x.cols()}, outputs.span());
    std::vector<float> numbers(outputs.size());
    outputs.copy_to(numbers);
    Matrix<float> y(x.rows(), panels.out);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        y(i / panels.out, i % panels.out) = numbers[i];
    }
    return y;
}

template <kernels::Epilogue E, class System>
bool has_bits_of_host(const kernels::DensePanels<kernels::ScaledInt8>& panels, MatrixView<const float> x) {
    const Matrix<float> found = int8_outputs<E, System>(panels, x);
    Matrix<float> expected(x.rows(), panels.out);
    kernels::int8_dense<E, kernels::Scalar>(panels, x, expected.view());
    bool is_same = true;
    for (std::size_t i = 0; i < x.rows(); ++i) {
        for (std::size_t j = 0; j < panels.out; ++j) {
            is_same = is_same && is_same_number(found(i, j), expected(i, j));
        }
    }
    return is_same;
}

/// Rows of very different sizes, with ties between two bytes, and with numbers that are not finite.
[[nodiscard]] inline Matrix<float> rows_for_bytes(std::size_t in) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr float sizes[] = {0.0F, 1e-40F, 1e-30F, 1e-18F, 1e-3F, 1.0F, 1e30F};
    Matrix<float> x(10, in);
    Random random(in);
    for (std::size_t i = 0; i < 7; ++i) {
        for (float& number : x.row(i)) {
            number = sizes[i] * static_cast<float>(random.normal());
        }
    }
    for (std::size_t k = 0; k < in; ++k) {  // the step is 1
        x(7, k) = k == 0 ? 127.0F : static_cast<float>(random.below(100)) - 49.5F;
    }
    x(8, in / 2) = -infinity;
    x(9, in - 1) = std::numeric_limits<float>::quiet_NaN();
    return x;
}

template <class System>
void check_int8_dense(Failures& failures) {
    using namespace kernels;
    for (const std::size_t in : {1U, 3U, 4U, 5U, 31U, 130U}) {
        for (const std::size_t out : {1U, 32U, 33U, 70U}) {
            const std::string name = "int8_dense, " + std::to_string(in) + " to " + std::to_string(out);
            Random random(in, out);
            // Whole numbers up to 127, which each output has, so that its scale is 1.
            Matrix<float> weights(out, in);
            std::vector<float> bias(DensePanels<ScaledInt8>::bias_of(out));
            for (std::size_t j = 0; j < out; ++j) {
                for (float& weight : weights.row(j)) {
                    weight = static_cast<float>(random.below(255)) - 127.0F;
                }
                weights(j, j % in) = j % 3 == 0 ? -127.0F : 127.0F;
                bias[j] = static_cast<float>(random.below(1000)) - 500.0F;
            }
            std::vector<ScaledInt8> bytes(DensePanels<ScaledInt8>::weights_of(in, out));
            std::vector<float> scales(bias.size());
            pack_dense(weights, bytes, scales);
            DensePanels<ScaledInt8> panels{in, out, bytes, bias, 0, scales};

            // Row k is 127 in place k: its outputs are those weights.
            Matrix<float> units(in, in);
            for (std::size_t k = 0; k < in; ++k) {
                units(k, k) = 127.0F;
            }
            const Matrix<float> y = int8_outputs<Epilogue::Identity, System>(panels, units);
            bool is_right = true;
            for (std::size_t k = 0; k < in; ++k) {
                for (std::size_t j = 0; j < out; ++j) {
                    is_right = is_right && y(k, j) == 127.0F * weights(j, k) + bias[j];
                }
            }
            failures.check(is_right, name + ": each weight");

            const Matrix<float> x = rows_for_bytes(in);
            for (float& scale : scales) {
                scale *= 0.3F + static_cast<float>(random.uniform());
            }
            failures.check(has_bits_of_host<Epilogue::Identity, System>(panels, x), name + ": bits");
            failures.check(has_bits_of_host<Epilogue::ReLU, System>(panels, x), name + ", ReLU: bits");
        }
    }
}

template <class System>
void check_dense(Failures& failures) {
    check_codes<System, kernels::Float16>(failures, "Float16");
    check_codes<System, kernels::BFloat16>(failures, "BFloat16");
    check_int8_dense<System>(failures);
}

}  // namespace funnel::testing
